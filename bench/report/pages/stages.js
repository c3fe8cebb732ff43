// Where the time went: the server's own stages and what lies outside it; and in what company calls were computed.

import {el} from "../../../server/web/dom.js";
import {percent, significant} from "../../../server/web/format.js";
import {linearScale} from "./scales.js";
import {figure, foldedTable, nothing, panel} from "./tables.js";
import {byLoad, callsOf, ms, number, pressure, record, whole} from "./reports.js";

const PARTS = [
  ["tokenize", "tokenize", 3], ["queue", "queue", 0], ["compute", "compute", 2],
  ["rest", "rest of the server", 5], ["outside", "network and client", 1],
];

/** Mean milliseconds of each part of an answered call, that add up to its mean latency; null if the server told none. */
export function splitOf(run) {
  const server = record(run.server_ms);
  const means = record(run.server_means_ms);
  const mean = (stage) => number(record(server[stage]).mean) ?? number(means[stage]);
  const stages = ["tokenize", "queue", "compute"].map(mean);
  if (stages.some((value) => value === null)) return null;
  const known = stages.reduce((sum, value) => sum + value, 0);
  const total = mean("total") ?? known;
  const latency = number(record(record(run.latency_ms).answered).mean) ?? total;
  const [tokenize, queue, compute] = stages;
  return {tokenize, queue, compute, rest: Math.max(total - known, 0), outside: Math.max(latency - Math.max(total, known), 0)};
}

const lengthOf = (split) => PARTS.reduce((sum, [key]) => sum + split[key], 0);

function bar(split, longest) {
  const made = PARTS.filter(([key]) => split[key] > 0).map(([key, label, ink]) => {
    const part = el("span", {class: `ink-${ink}`, title: `${label}: ${ms(split[key])}`});
    part.style.width = `${(100 * split[key]) / longest}%`;
    return part;
  });
  return el("div", {class: "stage-bar", "aria-hidden": "true"}, ...made);
}

/** [{name, run}]: of one report its runs, of several the chosen ones. */
function barsOf(subjects) {
  if (subjects.length > 1) return subjects.map(({name, run}) => ({name: `${name}, ${pressure(run)}`, run}));
  return byLoad(subjects[0].report).map((run) => ({name: pressure(run), run}));
}

export function stageSplit(subjects) {
  const title = "Where the time goes";
  const bars = barsOf(subjects).map((one) => ({...one, split: splitOf(one.run)})).filter(({split}) => split);
  if (bars.length === 0) return nothing(title, "The server told nothing of its stages.");
  const longest = Math.max(...bars.map(({split}) => lengthOf(split)), 1e-9);
  const shown = bars.map(({name, split}) =>
    el("li", {}, el("span", {}, name), bar(split, longest), el("b", {}, ms(lengthOf(split)))));
  const legend = el("ul", {class: "legend"}, ...PARTS.map(([, label, ink]) => el("li", {}, el("span", {class: `swatch ink-${ink}`}), label)));
  const rows = bars.map(({name, run, split}) => {
    const p99 = number(record(record(run.server_ms).queue).p99);
    return [name, ...PARTS.map(([key]) => ms(split[key])), ms(lengthOf(split)), ms(p99)];
  });
  return panel({title, caption: "Means of the calls that were answered, as the server measured itself; they add up. A queue that grows is load; compute that grows is larger batches or a busy machine."},
    legend, el("ul", {class: "stages"}, ...shown),
    foldedTable(title, ["Run", ...PARTS.map(([, label]) => label), "Sum", "queue, p99"], rows));
}

function sharesOf(run) {
  const sizes = Object.entries(record(run.batch_sizes)).map(([size, of]) => [Number(size), number(of) ?? 0]).filter(([size]) => size > 0);
  const sum = sizes.reduce((total, [, of]) => total + of, 0);
  return new Map(sizes.map(([size, of]) => [size, of / Math.max(sum, 1)]));
}

export function batchPlot(subjects) {
  const title = "Batch sizes";
  const made = subjects.map((subject) => ({...subject, shares: sharesOf(subject.run)})).filter(({shares}) => shares.size > 0);
  if (made.length === 0) return nothing(title, "The server did not say with how many others a call was computed.");
  const alone = subjects.length === 1;
  const most = Math.max(...made.flatMap(({shares}) => [...shares.keys()]));
  const all = Array.from({length: most}, (_, i) => i + 1);
  const series = made.map(({name, ink, shares}) => {
    const points = all.map((size) => ({x: size, from: size - 0.5, to: size + 0.5, y: shares.get(size) ?? 0}));
    const steps = points.map(({from, y}) => ({x: from, y})).concat({x: most + 0.5, y: 0});
    return {label: alone ? "share of calls" : name, ink: alone ? 2 : ink, kind: alone ? "bars" : "step", band: !alone, points: alone ? points : steps};
  });
  const marks = [...new Set([1, ...linearScale(most, 6).marks.filter((mark) => mark >= 1 && mark <= most && Number.isInteger(mark))])];
  const means = made.map(({name, run}) => `${alone ? "Mean batch" : `${name}, mean batch`}: ${significant(run.mean_batch ?? NaN)}`).join("; ");
  const used = all.filter((size) => made.some(({shares}) => shares.has(size)));
  return figure({
    title, caption: `Calls by the size of the batch in which they were computed. ${means}.`,
    plot: {
      x: {scale: {marks, place: (value) => (value - 0.5) / most}, format: (size) => String(Math.ceil(size)), label: "requests in the batch", say: (size) => `batches of ${Math.ceil(size)}`},
      panels: [{height: 170, scale: linearScale(Math.max(...made.flatMap(({shares}) => [...shares.values()])), 4), format: percent, label: "share of calls", series}],
    },
    columns: ["Batch", ...made.map(({name}) => (alone ? "Share of calls" : name))],
    rows: used.map((size) => [String(size), ...made.map(({shares}) => percent(shares.get(size) ?? 0))]),
  });
}

/** How calls ended. */
export function codeTable(subjects) {
  const codes = [...new Set(subjects.flatMap(({run}) => Object.keys(record(run.codes))))].sort((a, b) => (b === "OK") - (a === "OK") || a.localeCompare(b));
  if (codes.length === 0) return nothing("How calls ended", "No call counts.");
  const alone = subjects.length === 1;
  const rows = codes.map((code) => {
    const shares = subjects.map(({name, run, ink}) => ({name, ink, of: number(record(run.codes)[code]) ?? 0, calls: Math.max(callsOf(run), 1)}));
    const bars = shares.map(({name, ink, of, calls}) => {
      const fill = el("span", {class: `ink-${alone ? (code === "OK" ? 3 : 6) : ink}`});
      fill.style.width = `${(100 * of) / calls}%`;
      return el("div", {class: "code-share"}, el("div", {class: "stage-bar", "aria-hidden": "true"}, fill), el("span", {}, `${alone ? "" : `${name}: `}${whole(of)} · ${percent(of / calls)}`));
    });
    return el("div", {}, el("dt", {}, code), el("dd", {}, ...bars));
  });
  return panel({title: "How calls ended", wide: !alone, caption: "Every call that counts; UNFINISHED had neither answer nor error when the run was over."}, el("dl", {class: "codes"}, ...rows));
}
