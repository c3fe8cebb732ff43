// One model of a study in detail: what it confuses, label by label, and whether its scores mean what they say.

import {el} from "../../../server/web/dom.js";
import {count, percent} from "../../../server/web/format.js";
import {linearScale} from "./scales.js";
import {figure, nothing, panel, scrollingTable} from "./tables.js";
import {list, number, record, whole} from "./reports.js";

export const score = (value) => (number(value) === null ? "–" : value.toFixed(4));

export const titleOf = (model) => `${model.name} v${model.version}`;

/** A cell of the confusion matrix: darker where more of its row's texts are. */
function confused(of, sum, right) {
  const cell = el("span", {class: "cell", title: `${percent(of / Math.max(sum, 1))} of the row`}, whole(of));
  const ink = right ? "--c3" : "--c0";
  cell.style.backgroundColor = `color-mix(in srgb, var(${ink}) ${Math.round((45 * of) / Math.max(sum, 1))}%, transparent)`;
  return cell;
}

export function confusionPanel(model) {
  const labels = list(model.labels).map((label) => String(record(label).label));
  const failed = (number(model.failed) ?? 0) > 0;
  const rows = list(model.confusion).map((row, i) => {
    const cells = list(row).slice(0, labels.length + (failed ? 1 : 0));
    const sum = cells.reduce((total, of) => total + (number(of) ?? 0), 0);
    return [labels[i], ...cells.map((of, k) => confused(number(of) ?? 0, sum, i === k))];
  });
  const columns = ["is ↓, was called →", ...labels, ...(failed ? ["no answer"] : [])];
  return panel({title: "Confusion", caption: "Rows are what texts are, columns what the model called them; darker: more of the row."},
    scrollingTable(`${titleOf(model)}, confusion`, columns, rows));
}

export function labelPanel(model) {
  const rows = list(model.labels).map(record).map((label) => [String(label.label), score(label.precision), score(label.recall), score(label.f1), whole(label.support)]);
  return panel({title: "Label by label", caption: "Precision: of those called so, how many are. Recall: of those that are so, how many were called so."},
    scrollingTable(`${titleOf(model)}, label by label`, ["label", "precision", "recall", "F1", "texts"], rows));
}

export function calibrationFigure(model) {
  const bins = list(model.calibration).map(record).filter(({count: of}) => of > 0);
  const title = "Calibration";
  if (bins.length === 0) return nothing(title, "No text was answered.");
  const honest = {label: "scores that mean what they say", ink: 1, dash: true, quiet: true, points: [{x: 0, y: 0}, {x: 1, y: 1}]};
  const bars = {label: "accuracy", ink: 2, kind: "bars", exact: true, points: bins.map(({low, high, accuracy}) => ({x: (low + high) / 2, from: low, to: high, y: accuracy}))};
  const caption = `Answers by their score, and how many of each bar are right: below the line the model is surer than it should be. `
    + `Expected calibration error ${score(model.ece)}; ${count((number(model.texts) ?? 0) - (number(model.failed) ?? 0), "answer")}.`;
  return figure({
    title, caption, tall: true,
    plot: {
      x: {scale: linearScale(1, 5), format: percent, label: "score of the best label", say: (at) => `scores around ${percent(at)}`},
      panels: [{height: 230, scale: linearScale(1, 5), format: percent, label: "right", series: [bars, honest]}],
    },
    columns: ["Score", "Answers", "Mean score", "Right"],
    rows: bins.map((bin) => [`${percent(bin.low)} to ${percent(bin.high)}`, whole(bin.count), percent(bin.confidence), percent(bin.accuracy)]),
  });
}
