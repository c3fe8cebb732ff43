// What an axis makes of a value: a place between 0 and 1, and the marks that are worth a line.

import {ticks} from "../../../server/web/ticks.js";

const DENSE = [1, 2, 5];
const TAIL = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999];

/** From 0 to a round number. `top` is the largest value that must have room. */
export function linearScale(top, most = 5) {
  const marks = ticks(top, most);
  return {marks, place: (value) => value / marks.at(-1)};
}

/** Between two values, neither rounded; the marks are round. */
export function spanScale(low, high) {
  const width = high - low || 1;
  const step = ticks(width, 6)[1];
  const marks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= low + width * 1.0001; i++) marks.push(Number((i * step).toPrecision(6)));
  return {marks, place: (value) => (value - low) / width};
}

/** Logarithmic, from `low` to `high`, both above 0, widened to whole marks. */
export function logScale(low, high) {
  const dense = high / low < 300;
  const all = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    all.push(...(dense ? DENSE : [1]).map((factor) => Number((factor * 10 ** power).toPrecision(3))));
  }
  const first = all.findLastIndex((mark) => mark <= low * 1.0001);
  const last = all.findIndex((mark) => mark >= high * 0.9999);
  const marks = all.slice(Math.max(first, 0), last < 0 ? all.length : Math.max(last, first + 1) + 1);
  const [from, to] = [Math.log10(marks[0]), Math.log10(marks.at(-1))];
  return {marks, place: (value) => (Math.log10(Math.max(value, marks[0])) - from) / (to - from)};
}

/** As logScale, but between the values as they are. */
export function tightLogScale(low, high) {
  const {marks} = logScale(low, high);
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const within = marks.filter((mark) => mark >= low && mark <= high);
  return {marks: within.length > 1 ? within : [low, high], place: (value) => (Math.log10(value) - from) / (to - from)};
}

/** Shares of which the rest matters: 90 %, 99 % and 99.9 % are equally far apart. `most`: the largest share below 1. */
export function tailScale(most) {
  const depth = (share) => -Math.log10(1 - share);
  const end = Math.max(depth(most), 1);
  return {marks: TAIL.filter((mark) => depth(mark) <= end * 1.0001), place: (value) => depth(Math.min(value, most)) / end};
}

/** Latencies: logarithmic where they differ by more than a linear axis could show. */
export function latencyScale(values) {
  const known = values.filter((value) => value > 0);
  if (known.length === 0) return linearScale(1);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return high / low > 12 ? logScale(low, high) : linearScale(high);
}
