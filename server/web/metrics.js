// The Prometheus text format, and quantiles out of its histograms. No state, no page.

const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/gy;
const ESCAPED = {n: "\n", '"': '"', "\\": "\\"};

function number(text) {
  if (/^[+]?inf/i.test(text)) return Infinity;
  if (/^-inf/i.test(text)) return -Infinity;
  return Number(text);  // "NaN" is one too
}

// A "}" may stand in a value, so labels are read one by one instead of up to the first "}".
function readLabels(line, at) {
  const labels = {};
  for (;;) {
    while (line[at] === "," || line[at] === " ") at++;
    if (line[at] === "}") return {labels, at: at + 1};
    LABEL.lastIndex = at;
    const match = LABEL.exec(line);
    if (!match) return null;
    labels[match[1]] = match[2].replace(/\\(.)/g, (_, letter) => ESCAPED[letter] ?? letter);
    at = LABEL.lastIndex;
  }
}

/** [{name, labels, value}] of a page of metrics; lines that are none are passed over. */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const name = /^[a-zA-Z_:][\w:]*/.exec(line)?.[0];
    if (!name) continue;
    const read = line[name.length] === "{" ? readLabels(line, name.length + 1) : {labels: {}, at: name.length};
    const value = read && /^\s*(\S+)/.exec(line.slice(read.at));
    if (value) samples.push({name, labels: read.labels, value: number(value[1])});
  }
  return samples;
}

/**
 * The value below which a share `q` of the observations lies, estimated by a straight line within its bucket, as
 * Prometheus' histogram_quantile does. `buckets`: Map of upper bound -> observations at or below it (cumulative), with
 * one for Infinity. null without observations.
 */
export function quantile(buckets, q) {
  const bounds = [...buckets.keys()].sort((left, right) => left - right);
  const total = buckets.get(bounds.at(-1)) ?? 0;
  if (!(total > 0)) return null;
  const rank = q * total;
  const at = bounds.findIndex((bound) => buckets.get(bound) >= rank);
  // Nothing is known above the last finite bound but that it was passed.
  if (bounds[at] === Infinity) return bounds.length > 1 ? bounds.at(-2) : null;
  const lower = at > 0 ? bounds[at - 1] : Math.min(0, bounds[0]);
  const below = at > 0 ? buckets.get(bounds[at - 1]) : 0;
  const within = buckets.get(bounds[at]) - below;
  return within > 0 ? lower + (bounds[at] - lower) * ((rank - below) / within) : bounds[at];
}

/**
 * As quantile(), of whole numbers: a straight line would tell of sizes like 0.95. The upper bound of the bucket, which is
 * whole, is a size that occurs.
 */
export function wholeQuantile(buckets, q) {
  const value = quantile(buckets, q);
  return value === null ? null : [...buckets.keys()].filter((bound) => bound >= value).reduce((l, r) => Math.min(l, r));
}

/** Adds histogram `more` to `sum`, both {count, sum, buckets}. */
export function addHistogram(sum, more) {
  sum.count += more.count;
  sum.sum += more.sum;
  for (const [bound, count] of more.buckets) sum.buckets.set(bound, (sum.buckets.get(bound) ?? 0) + count);
}

/** An empty histogram. */
export function histogram() {
  return {count: 0, sum: 0, buckets: new Map()};
}
