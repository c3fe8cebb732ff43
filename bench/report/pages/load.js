// The report of one run of `bertha load`, or several side by side. The data element has {names, reports, shown, figures}: see
// bench/report/load_report.h.

import {byId, el} from "../../../server/web/dom.js";
import {count, percent, significant} from "../../../server/web/format.js";
import {curve} from "./curve.js";
import {batchPlot, codeTable, stageSplit} from "./stages.js";
import {facts, foldedTable, scrollingTable} from "./tables.js";
import {histogramPlot, percentilePlot} from "./spread.js";
import {timelinePlot} from "./timeline.js";
import {REPORT_INKS, capacityOf, kindOf, latency, list, modelsOf, ms, number, pressure, rate, record, startOf, whole} from "./reports.js";

const data = record(JSON.parse(byId("data").textContent || "{}"));
const reports = list(data.reports).map(record);
const subjects = reports.map((report, i) => ({
  name: String(list(data.names)[i] ?? `report ${i + 1}`), report, ink: REPORT_INKS[i % REPORT_INKS.length],
  run: record(list(report.runs)[list(data.shown)[i]]), shown: list(data.shown)[i] ?? 0,
}));
const alone = subjects.length === 1;
const REASONS = 6;  // that are shown at once

// Why figures are not the server's: what the report says, or else its runs.
function reasonsOf({report}) {
  if (list(report.invalid).length) return list(report.invalid).map(String);
  return list(report.runs).map(record).flatMap((run) => list(run.invalid).map((why) => `${pressure(run)}: ${why}`));
}

function banner(subject) {
  if (subject.report.valid !== false) return null;
  const title = alone ? "INVALID" : `INVALID: ${subject.name}`;
  const reasons = reasonsOf(subject).map((why) => el("li", {}, why));
  const more = reasons.splice(REASONS);
  return el("section", {class: "invalid", "aria-label": title}, el("h2", {}, title),
    el("p", {}, "These figures say as much about the machine that measured as about the server. Do not quote them."),
    el("ul", {}, ...reasons), more.length ? el("details", {}, el("summary", {}, `and ${count(more.length, "more reason")}`), el("ul", {}, ...more)) : null);
}

function tile(title, value, note) {
  return el("div", {class: "tile"}, el("dt", {}, title), el("dd", {}, value), note ? el("dd", {class: "hint"}, note) : null);
}

function objectiveOf(report) {
  const {quantile, latency_ms} = record(report.objective);
  return number(latency_ms) === null ? null : `p${+(100 * quantile).toFixed(3)} ≤ ${ms(latency_ms)}`;
}

// The answer in large letters.
function tiles({report, run}) {
  const capacity = capacityOf(report);
  const lost = Object.entries(record(run.codes)).filter(([code]) => code !== "OK").reduce((sum, [, of]) => sum + of, 0);
  const closed = number(run.in_flight) !== null;
  const searched = report.capacity !== null && report.capacity !== undefined;
  return el("dl", {class: "tiles"},
    searched ? tile("capacity", rate(capacity), capacity === null ? "no rate that was tried keeps the objective" : objectiveOf(report)) : null,
    tile("answered", rate(run.answered_per_s), closed ? `closed loop, ${pressure(run)}` : `of ${rate(run.offered_per_s)} offered`),
    tile("goodput", rate(run.goodput_per_s), objectiveOf(report) ?? "answered in time"),
    tile("p50", ms(latency(run, "p50"))), tile("p99", ms(latency(run, "p99")), latency(run, "p99") === null ? "too many were not answered" : null),
    tile("p99.9", ms(latency(run, "p999"))), tile("not answered", whole(lost), `of ${whole(run.calls)} calls`));
}

function chooser(subject, redraw) {
  const runs = list(subject.report.runs).map(record);
  if (runs.length < 2) return null;
  const id = `run-${subjects.indexOf(subject)}`;
  const options = runs.map((run, i) => el("option", {value: i, selected: i === subject.shown}, `${pressure(run)}${run.valid === false ? ", INVALID" : ""}`));
  const select = el("select", {id, onchange: () => {
    subject.run = runs[Number(select.value)];
    redraw();
  }}, ...options);
  return el("div", {class: "row"}, el("label", {for: id}, alone ? "Run shown" : subject.name), select);
}

// Figures that the program compared; of one report only its values.
// Their values are {title, unit, better, values, ratios}.
const FORMATS = {ms, per_s: rate, share: percent, cores: significant, requests: significant};

function figureTable() {
  const title = alone ? "All figures" : "Figures, and their ratios to the first";
  const columns = ["figure", ...subjects.flatMap(({name}, i) => (i > 0 ? [name, "ratio"] : [alone ? "value" : name]))];
  const rows = list(data.figures).map(({title: name, unit, values, ratios, better}) => [name, ...list(values).flatMap((raw, i) => {
    const value = number(raw) === null ? "–" : FORMATS[unit](raw);
    if (i === 0) return [value];
    const ratio = number(list(ratios)[i]);
    const verdict = ratio === null || better === 0 || Math.abs(ratio - 1) < 0.02 ? "" : (ratio > 1) === (better > 0) ? "good" : "bad";
    const mark = {good: "▲ ", bad: "▼ "}[verdict] ?? "";
    return [value, el("span", {class: `ratio ${verdict}`}, ratio === null ? "–" : `${mark}×${ratio.toFixed(2)}`)];
  })]);
  const hint = alone ? "Of the run that is chosen when the page opens." : "▲ better, ▼ worse than the first by more than 2 %. Compare latencies only where the offered rates are alike.";
  return el("section", {class: `panel figure${alone ? "" : " wide"}`}, el("h2", {}, title), el("p", {class: "hint"}, hint), scrollingTable(title, columns, rows));
}

function triedTable({name, report}) {
  const tried = list(record(report.capacity).tried).map(record);
  if (tried.length === 0) return null;
  const met = (value) => (value === true ? "met" : value === false ? "not met" : "undecided");
  return foldedTable(alone ? "Search for the capacity" : `Search for the capacity of ${name}`, ["Rate", "Objective", "Seconds", "Calls", "Over"],
    tried.map((one) => [rate(one.rate), met(one.met), whole(one.seconds), whole(one.calls), whole(one.over)]), "Show the search for the capacity");
}

function command(report) {
  const words = list(report.command).map(String);
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return quoted.length ? el("pre", {tabindex: 0, "aria-label": "Command"}, quoted.join(" ")) : null;
}

function setting({name, report}) {
  const machine = record(report.machine);
  const client = record(report.client);
  const plan = record(report.plan);
  const texts = record(plan.texts);
  return el("section", {class: "panel figure wide"}, el("h2", {}, alone ? "How it was measured" : `How ${name} was measured`), facts([
    ["kind", kindOf(report)], ["began", startOf(report)], ["server", record(report.server).address], ["models", modelsOf(report).join("; ")],
    ["machine", [machine.processor, machine.cores && `${machine.cores} cores`, number(machine.memory_gb) && `${significant(machine.memory_gb)} GB`].filter(Boolean).join(", ")],
    ["kernel", machine.kernel],
    ["client", [client.program, client.version, client.protocol && `protocol ${client.protocol}`, client.stream ? "streams" : "unary calls", client.channels && `${client.channels} channels`, client.load_balancing !== "pick_first" && client.load_balancing].filter(Boolean).join(", ")],
    ["texts", texts.count === undefined ? null : `${whole(texts.count)} from ${texts.source}`],
    ["seed", plan.seed === undefined ? null : String(plan.seed)], ["deadline", number(plan.deadline_ms) === null ? "none" : ms(plan.deadline_ms)],
    ["warm-up", number(plan.warm_up_s) === null ? null : `${plan.warm_up_s} s, not counted`], ["objective", objectiveOf(report)],
  ]), command(report), triedTable({name, report}));
}

function heading() {
  const first = reports[0] ?? {};
  const title = alone ? modelsOf(first).map((model) => model.replace(/ \(.*/, "")).join(", ") || "Load report" : "Load reports compared";
  const names = subjects.map(({name, ink, report}) => el("li", {}, el("span", {class: `swatch ink-${ink}`, "aria-hidden": "true"}),
    el("b", {}, name), ` ${kindOf(report)} · ${startOf(report)} · ${modelsOf(report).join("; ")}`));
  const sub = alone ? el("p", {class: "sub"}, [kindOf(first), startOf(first), record(first.server).address].filter(Boolean).join(" · ")) : el("ul", {class: "compared"}, ...names);
  const valid = alone && first.valid === true ? el("p", {class: "valid"}, "Valid: the client kept its schedule and had processor time to spare.") : null;
  const loop = subjects.some(({report}) => report.kind === "closed")
    ? el("p", {class: "notice"}, "Closed loop: a slow server is sent fewer calls, so these latencies are not what independent users would see.") : null;
  return el("div", {class: "lead"}, el("h1", {}, title), sub, valid, loop);
}

function draw(main) {
  const plots = el("div", {class: "figures"});
  const numbers = el("div");
  const redraw = () => {
    const made = [alone ? null : figureTable(), curve(subjects), percentilePlot(subjects), histogramPlot(subjects), timelinePlot(subjects),
      stageSplit(subjects), batchPlot(subjects), codeTable(subjects), alone ? figureTable() : null, ...subjects.map(setting)];
    plots.replaceChildren(...made.filter(Boolean));
    if (alone) numbers.replaceChildren(tiles(subjects[0]));
  };
  const choosers = subjects.map((subject) => chooser(subject, redraw)).filter(Boolean);
  const tools = el("div", {class: "choosers"}, alone || !choosers.length ? null : el("span", {class: "hint"}, "Runs shown"), ...choosers);
  main.append(...[heading(), ...subjects.map(banner), choosers.length ? tools : null, numbers, plots].filter(Boolean));
  redraw();
}

if (subjects.length === 0) byId("main").append(el("p", {class: "notice"}, "This file has no report in it."));
else draw(byId("main"));
