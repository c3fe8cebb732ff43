// Numbers as a person reads them. The space before a unit is a narrow one that does not break.

const SPACE = "\u202f";

/** A share in [0, 1]: "97.3 %". Never says 100 or 0 of what is only close to it. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const text = (100 * share).toFixed(1);
  if (share < 1 && text === "100.0") return `>99.9${SPACE}%`;
  if (share > 0 && text === "0.0") return `<0.1${SPACE}%`;
  return `${text}${SPACE}%`;
}

/** Microseconds: "840 µs", "1.84 ms", "2.10 s". */
export function duration(us) {
  if (!Number.isFinite(us)) return "–";
  if (us < 999.5) return `${Math.round(us)}${SPACE}µs`;
  if (us < 999_500) return `${significant(us / 1e3)}${SPACE}ms`;
  return `${significant(us / 1e6)}${SPACE}s`;
}

/** Seconds, in the same way. */
export function seconds(value) {
  return duration(value * 1e6);
}

/** Three significant digits, without an exponent for what occurs here: "12.5", "1280", "0.0312". */
export function significant(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en").replaceAll(",", SPACE);
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3).replace(/\.0+$/, "");
}

/** A small difference: "2.4e-6". */
export function tiny(value) {
  if (!Number.isFinite(value)) return "–";
  return value === 0 ? "0" : value.toExponential(1);
}

/** Bytes: "212 MiB". */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit + 1 < units.length; unit++) value /= 1024;
  return `${significant(value)}${SPACE}${units[unit]}`;
}

/** "1 token", "7 tokens". */
export function count(number, noun) {
  return `${number.toLocaleString("en").replaceAll(",", SPACE)} ${noun}${number === 1 ? "" : "s"}`;
}
