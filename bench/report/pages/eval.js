// The page of `bertha eval`: a study (schema bertha.eval/1) with its models in order.

import {byId, el} from "../../../server/web/dom.js";
import {count, duration, percent, significant} from "../../../server/web/format.js";
import {calibrationFigure, confusionPanel, labelPanel, score, titleOf} from "./models.js";
import {facts, figure, scrollingTable} from "./tables.js";
import {linearScale, spanScale} from "./scales.js";
import {REPORT_INKS, list, number, record, startOf, whole} from "./reports.js";

const study = record(JSON.parse(byId("data").textContent || "{}"));
const models = list(study.models).map(record);
const inkOf = (i) => REPORT_INKS[i % REPORT_INKS.length];

const times = (value) => (number(value) === null ? "–" : `${value.toFixed(2)}×`);
const megabytes = (value) => (number(value) === null ? "–" : `${(value / 1e6).toFixed(1)}\u202fMB`);
const micros = (value) => (number(value) === null ? "–" : duration(value));

function modelName(model, i) {
  return el("a", {href: `#model-${i}`}, el("span", {class: `swatch ink-${inkOf(i)}`, "aria-hidden": "true"}), titleOf(model));
}

function rowOf(model, i) {
  const best = record(model.of_best);
  const [low, high] = list(model.accuracy_95);
  return [modelName(model, i), el("b", {}, score(model.accuracy)), `${score(low)} – ${score(high)}`, percent(best.accuracy), score(model.macro_f1), score(model.mcc),
    score(model.ece), `${significant(model.seconds)}\u202fs`, significant(model.texts_per_s), times(best.faster), micros(model.compute_us_per_text),
    megabytes(model.weight_bytes), times(best.size),
    el("span", {class: model.failed > 0 ? "warns" : ""}, whole(model.failed))];
}

function studyTable() {
  const title = "Who is right, how fast, how large";
  const columns = ["model", "accuracy", "95 % interval", "of the best", "macro-F1", "MCC", "ECE", "time", "texts/s", "faster", "compute a text", "weights", "size", "failed"];
  return el("section", {class: "panel figure wide"}, el("h2", {}, title),
    el("p", {class: "hint"}, "By accuracy, then MCC, then time. Of the best, faster and size are relative to the first row. Models whose intervals overlap a lot may well change places on other texts."),
    scrollingTable(title, columns, models.map(rowOf)));
}

// Accuracy over cost: up and to the left is better.
function tradeOff() {
  const known = models.map((model, i) => ({model, i})).filter(({model}) => number(model.compute_us_per_text) !== null);
  if (known.length < 2) return null;
  const series = known.map(({model, i}) => {
    const [low, high] = list(model.accuracy_95);
    return {label: titleOf(model), ink: inkOf(i), exact: true, dots: true, points: [{x: model.compute_us_per_text, y: model.accuracy, low, high}]};
  });
  const all = series.flatMap(({points}) => points);
  const title = "Most of the accuracy, for how much time?";
  return figure({
    title, wide: true, caption: "Up is more often right, left is faster; bars are the 95 % intervals. The accuracy axis does not begin at 0.",
    plot: {
      x: {scale: linearScale(Math.max(...all.map(({x}) => x)), 6), format: micros, label: "compute time of a text"},
      panels: [{height: 230, scale: spanScale(Math.min(...all.map(({low}) => low)), Math.max(...all.map(({high}) => high))), format: percent, say: score, label: "accuracy", series}],
    },
    columns: ["Model", "Compute a text", "Accuracy"], rows: known.map(({model}) => [titleOf(model), micros(model.compute_us_per_text), score(model.accuracy)]),
  });
}

function failures() {
  const broken = models.filter(({failed}) => failed > 0);
  if (broken.length === 0) return null;
  const lines = broken.map((model) => {
    const codes = Object.entries(record(model.failures)).map(([code, of]) => `${code} ${whole(of)}`);
    return el("li", {}, `${titleOf(model)}: ${whole(model.failed)} of ${count(model.texts, "text")} got no answer (${codes.join(", ")})`);
  });
  return el("section", {class: "invalid", "aria-label": "Failed texts"}, el("h2", {}, "Some texts failed"), el("p", {}, "They count as wrong."), el("ul", {}, ...lines));
}

function details(model, i) {
  const how = [model.family, model.engine, model.device, model.dtype].filter(Boolean).join(", ");
  const notes = [how, model.truncated > 0 ? `${count(model.truncated, "text")} cut to what the model takes` : null,
    list(model.unknown_labels).length ? `labels that it does not have: ${list(model.unknown_labels).join(", ")}` : null].filter(Boolean);
  return el("section", {class: "model", id: `model-${i}`, "aria-label": titleOf(model)},
    el("h2", {class: "model-title"}, el("span", {class: `swatch ink-${inkOf(i)}`, "aria-hidden": "true"}), titleOf(model)), el("p", {class: "hint"}, notes.join("; ")),
    el("div", {class: "figures"}, confusionPanel(model), calibrationFigure(model), labelPanel(model)));
}

function setting() {
  const {file, texts, labels} = record(study.data);
  const {batch, in_flight: flying} = record(study.calls);
  const words = list(study.command).map(String);
  const shares = Object.entries(record(labels)).map(([label, of]) => `${label} ${percent(of / Math.max(texts, 1))}`);
  return el("section", {class: "panel figure wide"}, el("h2", {}, "How it was measured"), facts([
    ["texts", `${whole(texts)} from ${file}`], ["labels", shares.join(", ")], ["began", startOf(study)], ["server", record(study.server).address],
    ["calls", `${batch} texts each, ${flying} at once`],
  ]), words.length ? el("pre", {tabindex: 0, "aria-label": "Command"}, words.join(" ")) : null);
}

function draw(main) {
  const {file, texts} = record(study.data);
  const lead = el("div", {class: "lead"}, el("h1", {}, `${count(models.length, "model")}, ${count(number(texts) ?? 0, "text")}`),
    el("p", {class: "sub"}, [file, startOf(study), record(study.server).address].filter(Boolean).join(" · ")));
  const overview = el("div", {class: "figures"}, ...[studyTable(), tradeOff()].filter(Boolean));
  main.append(...[lead, failures(), overview, ...models.map(details), el("div", {class: "figures model"}, setting())].filter(Boolean));
}

draw(byId("main"));
