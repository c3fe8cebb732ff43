// How the latencies of a run lie: by percentile, and as a histogram.

import {count, percent} from "../../../server/web/format.js";
import {latencyScale, linearScale, tailScale, tightLogScale} from "./scales.js";
import {figure, nothing} from "./tables.js";
import {answeredOf, bucketsOf, callsOf, ms} from "./reports.js";

const ROWS = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];
const BINS = 56;

/** 0.999 as "99.9 %". */
const share = (value) => `${+(100 * value).toFixed(5)}\u202f%`;

/** The smallest latency that this share of all calls has at most; null if so many were not answered. */
function quantile(points, wanted) {
  return points.find(({x}) => x >= wanted * 0.9999999)?.y ?? null;
}

/** Share of all calls -> latency. Calls that were not answered are slower than all that were: the line ends before them. */
function percentiles(run) {
  const calls = Math.max(callsOf(run), answeredOf(run));
  let sum = 0;
  const points = bucketsOf(run).map(({high, count: of}) => ({x: (sum += of) / Math.max(calls, sum), y: high}));
  const last = points.at(-1);
  if (last?.x === 1) last.x = 1 - 0.5 / Math.max(calls, sum);
  return points;
}

export function percentilePlot(subjects) {
  const title = "Latency by percentile";
  const made = subjects.map((subject) => ({...subject, points: percentiles(subject.run)}));
  const all = made.flatMap(({points}) => points);
  if (all.length === 0) return nothing(title, "No call was answered: there is no latency.");
  const alone = made.length === 1;
  const marks = made.flatMap(({name, run, ink}) => {
    const answered = answeredOf(run) / Math.max(callsOf(run), 1);
    if (answered >= 1 || answered <= 0) return [];
    return [{at: answered, ink: alone ? 6 : ink, label: `${alone ? "" : `${name}: `}${percent(1 - answered)} not answered`}];
  });
  const most = Math.max(0.99, ...all.map(({x}) => x));
  return figure({
    title, caption: "The slow end drawn wide: each step to the right is ten times rarer. Calls that failed or were not finished count as slower than all others.",
    plot: {
      x: {scale: tailScale(most), format: share, label: "share of calls that were at most so slow"}, xMarks: marks,
      panels: [{height: 220, scale: latencyScale(all.map(({y}) => y)), format: ms, label: "latency",
        series: made.map(({name, ink, points}) => ({label: alone ? "latency" : name, ink: alone ? 0 : ink, points}))}],
    },
    columns: ["Share of calls", ...made.map(({name}) => (alone ? "Latency" : name))],
    rows: ROWS.map((wanted) => [share(wanted), ...made.map(({points}) => ms(quantile(points, wanted)))]),
  });
}

/** Edges of bins that are equally wide on a logarithmic axis over all latencies. */
function binEdges(buckets) {
  let low = Math.min(...buckets.map((bucket) => bucket.low || bucket.high));
  let high = Math.max(...buckets.map((bucket) => bucket.high));
  if (high / low < 1.25) [low, high] = [low / 1.12, high * 1.12];
  return Array.from({length: BINS + 1}, (_, i) => low * (high / low) ** (i / BINS));
}

/** Share of all calls in each bin. */
function binned(run, edges) {
  const counts = new Array(BINS).fill(0);
  const [low, high] = [edges[0], edges[BINS]];
  for (const bucket of bucketsOf(run)) {
    const middle = Math.sqrt(Math.max(bucket.low, low) * bucket.high);
    const bin = Math.floor((BINS * Math.log(middle / low)) / Math.log(high / low));
    counts[Math.min(Math.max(bin, 0), BINS - 1)] += bucket.count;
  }
  const calls = Math.max(callsOf(run), 1);
  return counts.map((of) => of / calls);
}

export function histogramPlot(subjects) {
  const title = "Latency histogram";
  const all = subjects.flatMap(({run}) => bucketsOf(run)).filter(({high}) => high > 0);
  if (all.length === 0) return nothing(title, "No call was answered: there is nothing to count.");
  const edges = binEdges(all);
  const alone = subjects.length === 1;
  const made = subjects.map(({name, ink, run}) => {
    const shares = binned(run, edges);
    const points = shares.map((y, i) => ({x: edges[i], from: edges[i], to: edges[i + 1], y}));
    if (!alone) points.push({x: edges[BINS], from: edges[BINS], to: edges[BINS], y: 0});
    return {label: alone ? "share of calls" : name, ink: alone ? 2 : ink, kind: alone ? "bars" : "step", band: !alone, points, shares};
  });
  const rows = made[0].shares.map((_, i) => [`${ms(edges[i])} to ${ms(edges[i + 1])}`, ...made.map(({shares}) => percent(shares[i]))])
    .filter((_, i) => made.some(({shares}) => shares[i] > 0));
  const said = subjects.map(({run}) => count(answeredOf(run), "answered call")).join("; ");
  return figure({
    title, caption: `Bins are equally wide in proportion, not in milliseconds: two humps are two kinds of calls. ${said}.`,
    plot: {
      x: {scale: tightLogScale(edges[0], edges[BINS]), format: ms, label: "latency", say: (at) => `from ${ms(at)}`},
      panels: [{height: 220, scale: linearScale(Math.max(...made.flatMap(({shares}) => shares)), 4), format: percent, label: "share of calls", series: made}],
    },
    columns: ["Latency", ...made.map(({label}) => (alone ? "Share of calls" : label))], rows,
  });
}
