// Latency and goodput over load: the runs of each report, by what they offered.

import {latencyScale, linearScale, tightLogScale} from "./scales.js";
import {figure} from "./tables.js";
import {byLoad, callsOf, capacityOf, answeredOf, latency, ms, number, rate, record} from "./reports.js";

const OFF = "none: too many calls were not answered";

const offered = (run) => number(run.offered_per_s) ?? number(run.rate) ?? 0;

function points(runs, value) {
  return runs.map((run) => {
    const y = value(run);
    return {x: offered(run), y, hollow: run.valid === false, off: y === null && callsOf(run) > 0 ? OFF : undefined};
  });
}

function seriesOf({name, report, ink}, alone) {
  const runs = byLoad(report);
  const prefix = alone ? "" : `${name}, `;
  return {
    latency: [
      {label: `${prefix}p50`, ink: alone ? 2 : ink, dash: !alone, dots: true, exact: true, points: points(runs, (run) => latency(run, "p50"))},
      {label: `${prefix}p99`, ink: alone ? 0 : ink, dots: true, exact: true, points: points(runs, (run) => latency(run, "p99"))},
    ],
    goodput: [{label: `${prefix}goodput`, ink: alone ? 3 : ink, dots: true, exact: true, points: points(runs, (run) => number(run.goodput_per_s))}],
  };
}

/** Objectives as marks, each value once. */
function objectives(subjects) {
  const all = subjects.map(({report}) => record(report.objective)).filter(({latency_ms}) => number(latency_ms) !== null);
  const seen = new Map(all.map((one) => [one.latency_ms, `objective: p${+(100 * one.quantile).toFixed(3)} ≤ ${ms(one.latency_ms)}`]));
  return [...seen].map(([at, label]) => ({at, label, ink: 6}));
}

function capacities(subjects) {
  const alone = subjects.length === 1;
  return subjects.flatMap(({name, report, ink}) => {
    const at = capacityOf(report);
    return at === null ? [] : [{at, label: `${alone ? "capacity" : name} ${rate(at)}`, ink: alone ? 1 : ink}];
  });
}

function rowsOf(subjects) {
  return subjects.flatMap(({name, report}) => byLoad(report).map((run) => {
    const missing = callsOf(run) - answeredOf(run);
    return [subjects.length === 1 ? rate(offered(run)) : `${name}, ${rate(offered(run))}`, rate(run.answered_per_s), rate(run.goodput_per_s),
      ms(latency(run, "p50")), ms(latency(run, "p99")), String(missing), run.valid === false ? "INVALID" : "valid"];
  }));
}

/** A sweep goes from a tenth to several times the capacity: by proportion, or all that is below it is one corner. */
function loadScale(loads) {
  const [low, high] = [Math.min(...loads), Math.max(...loads)];
  return low > 0 && high / low > 8 ? tightLogScale(low, high) : linearScale(high || 1, 6);
}

/** What goodput would be if nothing were lost, up to `top`. */
function allKept(loads, top) {
  const [low, high] = [Math.min(...loads), Math.min(Math.max(...loads), top)];
  const points = Array.from({length: 41}, (_, i) => low + ((high - low) * i) / 40).map((at) => ({x: at, y: at}));
  return {label: "all that was offered", ink: 1, dash: true, quiet: true, exact: true, points};
}

/** Null unless some report has runs of several loads. */
export function curve(subjects) {
  if (!subjects.some(({report}) => byLoad(report).length > 1)) return null;
  const alone = subjects.length === 1;
  const made = subjects.map((subject) => seriesOf(subject, alone));
  const marks = objectives(subjects);
  const ofLatency = made.flatMap((one) => one.latency);
  const ofGoodput = made.flatMap((one) => one.goodput);
  const values = ofLatency.flatMap((one) => one.points.map(({y}) => y)).concat(marks.map(({at}) => at));
  const loads = ofGoodput.flatMap((one) => one.points.map(({x}) => x));
  const goodputScale = linearScale(Math.max(...ofGoodput.flatMap((one) => one.points.map(({y}) => y ?? 0)), 1), 3);
  return figure({
    title: "Latency over load", wide: true,
    caption: "How late the answers came at each offered rate, counted from when a call was due, and how many calls a second were good: answered "
      + "within the deadline or the objective. Below the dashed line of all that was offered, calls are lost. A triangle at the top: so many calls were not answered that the quantile does not exist. A hollow dot: an INVALID run.",
    plot: {
      x: {scale: loadScale(loads), format: rate, label: "offered"}, xMarks: capacities(subjects),
      panels: [
        {height: 230, scale: latencyScale(values.filter((one) => one !== null)), format: ms, label: "latency", series: ofLatency, marks},
        {height: 130, scale: goodputScale, format: rate, label: "goodput",
          series: [allKept(loads, goodputScale.marks.at(-1)), ...ofGoodput]},
      ],
    },
    columns: ["Offered", "Answered", "Goodput", "p50", "p99", "Not answered", "Validity"], rows: rowsOf(subjects),
  });
}
