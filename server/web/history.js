// Five minutes of scrapes, and what happened between one and the next: rates, histograms of the interval, gauges.

import {addHistogram, histogram, quantile, wholeQuantile} from "./metrics.js";

export const SPAN_S = 300;
export const GAP_S = 2.5;    // scrapes further apart than this leave a gap
const SMOOTH = 5;            // intervals that a quantile or mean looks back

const KEPT = /^(bertha_|process_(resident_memory_bytes|start_time_seconds)$)/;
const UNCOUNTED = /^bertha_(model_up|self_check_|model_load_seconds|model_weight_bytes)/;  // gauges that may fall
const OWN_METHOD = "ListModels";  // this page asks for it all the time: not what one looks for here
const STAGES = ["tokenize", "queue", "compute", "total"];

/** Whose fault a code is: names of gRPC codes, or HTTP's numbers. */
export function codeClass(code) {
  const name = String(code).toUpperCase().replace(/[^A-Z0-9]/g, "");
  if (name === "OK" || name === "0" || /^2\d\d$/.test(name)) return "ok";
  if (/^(RESOURCEEXHAUSTED|UNAVAILABLE|DEADLINEEXCEEDED|408|429|503|504)$/.test(name)) return "refused";
  if (/^(UNKNOWN|INTERNAL|DATALOSS|5\d\d)$/.test(name)) return "failed";
  return "caller";
}

/** The scrapes themselves, as numbers by series; cheap enough to keep whole, so that another model can be chosen later. */
export class History {
  #series = [];         // {name, labels}
  #numbers = new Map(); // of a series, by name and labels
  #scrapes = [];        // {t, values: by number of the series, interval, of: the model that the interval is about}

  /** `t`: seconds. Forgets what is older than SPAN_S. */
  add(t, samples) {
    const values = [];
    for (const {name, labels, value} of samples) {
      if (KEPT.test(name)) values[this.#number(name, labels)] = value;
    }
    this.#scrapes.push({t, values});
    while (this.#scrapes[0].t < t - SPAN_S - 1) this.#scrapes.shift();
  }

  /** Every model of the newest scrape, as "name:version". */
  models() {
    const keys = new Set(this.#series.filter(({labels}) => labels.model).map(({labels}) => `${labels.model}:${labels.version ?? 0}`));
    return [...keys].sort();
  }

  /** The newest value of `name` for each model. */
  latest(name) {
    const values = this.#scrapes.at(-1)?.values ?? [];
    const found = new Map();
    this.#series.forEach(({name: other, labels}, i) => {
      if (other === name && values[i] !== undefined) found.set(`${labels.model}:${labels.version ?? 0}`, values[i]);
    });
    return found;
  }

  /** [{t, gap, restart, ...}], oldest first, of the model with this key, or of all. */
  intervals(model) {
    const list = [];
    for (let i = 1; i < this.#scrapes.length; i++) {
      const [before, after] = [this.#scrapes[i - 1], this.#scrapes[i]];
      if (!after.interval || after.of !== model) {
        after.interval = after.t - before.t > GAP_S ? {t: after.t, gap: true} : this.#interval(before, after, model);
        after.of = model;
      }
      list.push(after.interval);
    }
    return list;
  }

  #number(name, labels) {
    const key = name + JSON.stringify(labels);
    if (!this.#numbers.has(key)) {
      this.#numbers.set(key, this.#series.length);
      this.#series.push({name, labels});
    }
    return this.#numbers.get(key);
  }

  #interval(before, after, model) {
    const dt = after.t - before.t;
    const made = {t: after.t, dt, gap: false, restart: false, codes: {}, stages: {}, size: histogram(), padded: 0, tokens: 0,
      queueRequests: null, queueTokens: null, inFlight: null, memory: null};
    for (const stage of STAGES) made.stages[stage] = histogram();
    after.values.forEach((value, i) => {
      const {name, labels} = this.#series[i];
      const own = labels.model === undefined || !model || `${labels.model}:${labels.version ?? 0}` === model;
      if (!own) return;
      const old = before.values[i];
      if (name === "process_start_time_seconds") made.restart ||= value > old;
      if (this.#gauge(made, name, value)) return;
      // A counter that went back belongs to a new process, which counted from nought, as one that is new did.
      if (value < old) made.restart = true;
      this.#counter(made, name, labels, value < old ? value : value - (old ?? 0));
    });
    return made;
  }

  #gauge(made, name, value) {
    const field = {bertha_queue_requests: "queueRequests", bertha_queue_tokens: "queueTokens",
      bertha_in_flight_calls: "inFlight", process_resident_memory_bytes: "memory"}[name];
    if (field) made[field] = (made[field] ?? 0) + value;
    return Boolean(field) || !name.startsWith("bertha_") || UNCOUNTED.test(name);
  }

  #counter(made, name, labels, grown) {
    if (name === "bertha_requests_total") {
      if (labels.method === OWN_METHOD) return;
      const kind = codeClass(labels.code);
      made.codes[kind] = (made.codes[kind] ?? 0) + grown;
    } else if (name === "bertha_padded_tokens_total") {
      made.padded += grown;
    } else if (name === "bertha_tokens_total") {
      made.tokens += grown;
    } else if (name.startsWith("bertha_batch_size_")) {
      observe(made.size, name, labels, grown);
    } else if (name.startsWith("bertha_request_duration_seconds_") && made.stages[labels.stage]) {
      observe(made.stages[labels.stage], name, labels, grown);
    }
  }
}

function observe(into, name, labels, grown) {
  if (name.endsWith("_sum")) into.sum += grown;
  else if (name.endsWith("_count")) into.count += grown;
  else if (name.endsWith("_bucket")) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    into.buckets.set(bound, (into.buckets.get(bound) ?? 0) + grown);
  }
}

function mean({sum, count}) {
  return count > 0 ? sum / count : null;
}

/** What the charts draw: [{t, restart, values}], values null where nothing is known. Times in seconds. */
export function points(intervals) {
  return intervals.map((interval, i) => (interval.point ??= point(interval, i, intervals)));
}

function point(interval, i, intervals) {
  if (interval.gap) return {t: interval.t, values: null};
  const recent = [];
  for (let k = i; k >= 0 && recent.length < SMOOTH && !intervals[k].gap; k--) recent.push(intervals[k]);
  const over = (pick) => recent.reduce((sum, one) => (addHistogram(sum, pick(one)), sum), histogram());
  const total = over((one) => one.stages.total);
  const values = {p50: quantile(total.buckets, 0.5), p95: quantile(total.buckets, 0.95), p99: quantile(total.buckets, 0.99)};
  for (const kind of ["ok", "caller", "refused", "failed"]) values[kind] = (interval.codes[kind] ?? 0) / interval.dt;
  for (const stage of ["tokenize", "queue", "compute"]) values[stage] = mean(over((one) => one.stages[stage]));
  values.tokens = interval.tokens / interval.dt;
  values.padding = Math.max(0, interval.padded - interval.tokens) / interval.dt;
  const size = over((one) => one.size);
  Object.assign(values, {size: mean(size), sizeP95: wholeQuantile(size.buckets, 0.95), waiting: interval.queueRequests,
    waitingTokens: interval.queueTokens, inFlight: interval.inFlight});
  return {t: interval.t, restart: interval.restart, values};
}
