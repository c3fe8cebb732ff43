// Tables of figures, and the frame in which a plot stands: heading, what it shows in words, legend, picture, and the same
// figures as a table for those who do not look at pictures.

import {el} from "../../../server/web/dom.js";
import {Plot} from "./plot.js";

/** `columns`: titles. `rows`: each its cells, texts or elements; the first names the row. */
export function table(caption, columns, rows) {
  const head = el("tr", {}, ...columns.map((title) => el("th", {scope: "col"}, title)));
  const body = rows.map(([name, ...cells]) =>
    el("tr", {}, el("th", {scope: "row"}, name), ...cells.map((cell) => el("td", {}, cell ?? "–"))));
  return el("table", {}, el("caption", {class: "hidden"}, caption), el("thead", {}, head), el("tbody", {}, ...body));
}

/** The same in a box of its own that scrolls sideways where it must. */
export function scrollingTable(caption, columns, rows) {
  return el("div", {class: "scrolls", tabindex: 0, role: "region", "aria-label": caption}, table(caption, columns, rows));
}

/** A table that is there when asked for. */
export function foldedTable(title, columns, rows, summary = "Show data") {
  return el("details", {class: "data"}, el("summary", {}, summary), scrollingTable(`${title}, data`, columns, rows));
}

/** Pairs of a name and a value; those without a value are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", {class: "pairs"}, ...known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function legendOf(panels) {
  const seen = new Set();
  const entries = panels.flatMap(({series}) => series).filter(({label, quiet}) => !quiet && !seen.has(label) && seen.add(label));
  if (entries.length < 2) return null;
  return el("ul", {class: "legend"}, ...entries.map(({label, ink, dash}) =>
    el("li", {}, el("span", {class: `swatch ink-${ink}${dash ? " dashed" : ""}`, "aria-hidden": "true"}), label)));
}

/** A panel of the page: `wide` over both columns, `tall` beside two others. `content`: elements under the words. */
export function panel({title, caption, wide, tall}, ...content) {
  return el("section", {class: `panel figure${wide ? " wide" : ""}${tall ? " tall" : ""}`}, el("h2", {}, title), el("p", {class: "hint"}, caption), ...content);
}

/** A panel with a plot (see Plot's constructor) and its data. */
export function figure({title, caption, wide, tall, plot, columns, rows}) {
  const drawn = new Plot({title, ...plot});
  return panel({title, caption, wide, tall}, legendOf(plot.panels), drawn.element, foldedTable(title, columns, rows));
}

/** What stands where a figure has nothing to show. */
export function nothing(title, why) {
  return panel({title, caption: why});
}
