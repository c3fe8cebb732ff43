// A run from its begin to its end: what came back of each moment's calls, and how late.

import {latencyScale, linearScale, spanScale} from "./scales.js";
import {figure, nothing} from "./tables.js";
import {list, ms, number, rate, record} from "./reports.js";

const second = (value) => `${+value.toPrecision(4)}\u202fs`;

/** How long a point stands for, in seconds. */
function widthOf(points, run) {
  return points.length > 1 ? points[1].at_s - points[0].at_s : number(run.seconds) || 1;
}

function seriesOf({name, ink, run}, alone) {
  const points = list(run.timeline).map(record).filter(({at_s}) => number(at_s) !== null);
  const width = widthOf(points, run);
  const line = (key, by) => points.map((point) => ({x: point.at_s, y: number(point[key]) === null ? null : point[key] / by}));
  const prefix = alone ? "" : `${name}, `;
  const failed = points.some((point) => point.failed > 0);
  return {
    points, width,
    rates: [
      ...(alone ? [{label: "planned", ink: 1, dash: true, points: line("planned", width)}] : []),
      {label: `${prefix}answered`, ink: alone ? 3 : ink, points: line("answered", width)},
      ...(failed ? [{label: `${prefix}failed`, ink: alone ? 6 : ink, dash: !alone, band: true, points: line("failed", width)}] : []),
    ],
    times: [
      ...(alone ? [{label: "p50", ink: 2, points: line("p50_ms", 1)}] : []),
      {label: `${prefix}p99`, ink: alone ? 0 : ink, points: line("p99_ms", 1)},
    ],
  };
}

function rowsOf(subjects, made) {
  return made.flatMap(({points, width}, i) => points.map((point) =>
    [`${subjects.length === 1 ? "" : `${subjects[i].name}, `}${second(point.at_s)}`, rate(point.planned / width), rate(point.answered / width),
      rate(point.failed / width), ms(point.p50_ms), ms(point.p99_ms)]));
}

export function timelinePlot(subjects) {
  const title = "Timeline";
  const alone = subjects.length === 1;
  const made = subjects.map((subject) => seriesOf(subject, alone));
  const all = made.flatMap(({points}) => points);
  if (all.length === 0) return nothing(title, "The run has no moment that counts.");
  const rates = made.flatMap((one) => one.rates);
  const times = made.flatMap((one) => one.times);
  const warmUps = [...new Set(subjects.map(({report}) => number(record(report.plan).warm_up_s)))].filter((end) => end > 0);
  const xMarks = warmUps.length === 1 && all[0].at_s < warmUps[0] && warmUps[0] < all.at(-1).at_s ? [{at: warmUps[0], label: "counts from here", ink: 1}] : [];
  const values = (series) => series.flatMap(({points}) => points.map(({y}) => y)).filter((y) => y !== null);
  return figure({
    title, wide: true,
    caption: "By the moment at which calls were due, so that a pause of the server shows as a peak of latency and not as a gap. A line that breaks off: nothing was answered of those calls.",
    plot: {
      x: {scale: spanScale(Math.min(...all.map(({at_s}) => at_s)), Math.max(...all.map(({at_s}) => at_s))), format: second, label: "since the begin of the run"}, xMarks,
      panels: [
        {height: 110, scale: linearScale(Math.max(...values(rates), 1), 3), format: rate, label: "calls", series: rates},
        {height: 150, scale: latencyScale(values(times)), format: ms, label: "latency", series: times},
      ],
    },
    columns: ["At", "Planned", "Answered", "Failed", "p50", "p99"], rows: rowsOf(subjects, made),
  });
}
