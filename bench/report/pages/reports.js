// Reading `bertha load`'s reports (schema bertha.load/1). A page must not break over a run that answered nothing: what is
// missing is null, a list that is missing is empty.

import {duration, significant} from "../../../server/web/format.js";

/** Inks of reports that are compared. */
export const REPORT_INKS = [2, 0, 3, 4, 6, 5, 7, 1];

export const list = (value) => (Array.isArray(value) ? value : []);
export const record = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
export const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

export const ms = (value) => (number(value) === null ? "–" : value === 0 ? "0" : duration(value * 1000));
export const rate = (value) => (number(value) === null ? "–" : `${significant(value)}/s`);
export const whole = (value) => (number(value) === null ? "–" : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f"));

/** A quantile of `all` of a run, in milliseconds; null if it does not exist. */
export function latency(run, name) {
  return number(record(record(run.latency_ms).all)[name]);
}

/** Calls that count, and of these how many were answered. */
export const callsOf = (run) => number(run.calls) ?? 0;
export function answeredOf(run) {
  return number(record(run.codes).OK) ?? 0;
}

/** Calls a second within the objective; null if none was searched, or no rate that was tried kept it. */
export const capacityOf = (report) => number(record(report.capacity).per_s) || null;

/** What a run was asked to do, in a few characters: "500/s", "8 in flight". */
export function pressure(run) {
  if (number(run.rate) !== null) return rate(run.rate);
  if (number(run.in_flight) !== null) return `${run.in_flight} in flight`;
  return rate(run.offered_per_s);
}

/** [{at, low, high}...]: how the latencies of what was answered lie, and how many; milliseconds. */
export function bucketsOf(run) {
  return list(record(run.histogram).buckets)
    .filter((bucket) => list(bucket).length === 3 && bucket.every((one) => number(one) !== null) && bucket[2] > 0)
    .map(([low, high, count]) => ({low: low / 1000, high: high / 1000, count}));
}

const KINDS = {open: "open loop", closed: "closed loop", capacity: "search for the capacity", sweep: "latency over load"};

/** "open loop, Poisson" and the like. */
export function kindOf(report) {
  const kind = KINDS[report.kind] ?? String(report.kind ?? "run");
  const arrivals = record(report.plan).arrivals;
  return arrivals && report.kind !== "closed" ? `${kind}, ${arrivals} arrivals` : kind;
}

/** "23 Nov 2026, 14:00 UTC" */
export function startOf(report) {
  const time = new Date(report.started);
  if (Number.isNaN(time.getTime())) return String(report.started ?? "");
  const options = {day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC"};
  return `${time.toLocaleString("en-GB", options)} UTC`;
}

/** "sentiment-bert v1 (bert, fused, fp32)" of each model. */
export function modelsOf(report) {
  return list(record(report.server).models).map((model) => {
    const {name, version, family, engine, dtype} = record(model);
    const how = [family, engine, dtype].filter(Boolean).join(", ");
    return `${name || "default model"}${version ? ` v${version}` : ""}${how ? ` (${how})` : ""}`;
  });
}

/** Runs by rising load. Of those of the same rate, which a search has, one: the last, of the valid ones if there are any. */
export function byLoad(report) {
  const kept = new Map();
  list(report.runs).map(record).forEach((run, i) => {
    const key = number(run.rate) ?? `run ${i}`;
    if (run.valid !== false || kept.get(key)?.valid !== true) kept.set(key, run);
  });
  const load = (run) => number(run.rate) ?? number(run.offered_per_s) ?? 0;
  return [...kept.values()].sort((left, right) => load(left) - load(right));
}
