// One chart over the last five minutes: lines, or areas one upon the other, in SVG. The legend is the readout: of now, or of
// the moment under the pointer. The same figures are a table for those who do not look at pictures.

import {el, setText, svg} from "./dom.js";
import {GAP_S, SPAN_S} from "./history.js";
import {ticks} from "./ticks.js";

const HEIGHT = 168;
const TOP = 14;     // room for the highest tick's text
const BOTTOM = 20;  // for the time axis
const LEFT = 46;    // for the value axis
const MINUTES = [5, 4, 3, 2, 1];
const ROWS = 12;    // of the table

/** Neighbouring points without a gap between them or in `known`. */
function runs(points, known) {
  const all = [];
  let last = null;
  for (const point of points) {
    if (!known(point)) last = null;
    else if (last && point.t - last.t <= GAP_S) all.at(-1).push(point), (last = point);
    else all.push([point]), (last = point);
  }
  return all;
}

export class Chart {
  #options;
  #points = [];
  #now = 0;
  #hover = null;  // seconds before now
  #picture = svg("svg", {class: "chart", role: "img", height: HEIGHT});
  #when = el("span", {class: "chart-when"});
  #legend = {};
  #rows = el("tbody");
  #table;

  /** {title, note, series: [{key, label, ink}], format(value), stacked, least}: `least` is the smallest top of the axis. */
  constructor(options) {
    this.#options = options;
    const entries = options.series.map(({key, label, ink}) => {
      const value = (this.#legend[key] = el("dd", {}, "–"));
      return el("div", {}, el("dt", {class: `key ink-${ink}`}, label), value);
    });
    const head = el("div", {class: "chart-head"}, el("h2", {}, options.title), this.#when);
    const note = el("p", {class: "chart-note"}, options.note);
    this.#table = el("details", {class: "chart-table", ontoggle: () => this.#drawTable()}, el("summary", {}, "Figures"),
      el("div", {class: "scrolls", tabindex: 0, role: "region", "aria-label": `${options.title}, figures`}, this.#makeTable()));
    this.element = el("article", {class: "panel chart-panel"}, head, note, el("dl", {class: "chart-legend"}, ...entries),
      this.#picture, this.#table);
    this.#picture.addEventListener("pointermove", (event) => this.#point(event));
    this.#picture.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.#draw()).observe(this.#picture);
  }

  /** `points` as history.js makes them; `now` in seconds. */
  show(points, now) {
    this.#points = points;
    this.#now = now;
    this.#draw();
    this.#drawTable();
  }

  #makeTable() {
    const titles = ["Seconds ago", ...this.#options.series.map(({label}) => label)];
    const head = el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", {scope: "col"}, title))));
    return el("table", {}, el("caption", {class: "hidden"}, this.#options.title), head, this.#rows);
  }

  #drawTable() {
    if (!this.#table.open) return;
    const last = this.#points.slice(-ROWS).reverse();
    this.#rows.replaceChildren(...last.map(({t, values}) => {
      const cells = this.#options.series.map(({key}) => el("td", {}, this.#say(values?.[key])));
      return el("tr", {}, el("th", {scope: "row"}, String(Math.max(0, Math.round(this.#now - t)))), ...cells);
    }));
  }

  #say(value) {
    return value === null || value === undefined ? "–" : this.#options.format(value);
  }

  // A mark of the axis, without noughts at its end.
  #tick(mark) {
    return this.#options.format(mark).replace(/\.(\d*?)0+(?!\d)/, (_, digits) => (digits ? `.${digits}` : ""));
  }

  #draw() {
    const width = this.#picture.clientWidth;
    if (!width) return;  // hidden
    const top = this.#top();
    const marks = ticks(top);
    const scale = {
      width, marks,
      x: (t) => width - ((width - LEFT) * (this.#now - t)) / SPAN_S,
      y: (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / marks.at(-1),
    };
    this.#picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const data = this.#options.stacked ? this.#areas(scale) : this.#lines(scale);
    this.#picture.replaceChildren(...this.#grid(scale), ...this.#restarts(scale), ...data, ...this.#cursor(scale));
    this.#picture.setAttribute("aria-label", this.#summary());
    this.#readOut();
  }

  #top() {
    const {series, stacked, least} = this.#options;
    const heights = this.#points.map(({values}) => {
      const all = series.map(({key}) => values?.[key] ?? 0);
      return stacked ? all.reduce((sum, one) => sum + one, 0) : Math.max(...all);
    });
    return Math.max(least ?? 0, ...heights);
  }

  #grid({width, marks, x, y}) {
    const lines = marks.map((mark) => svg("path", {class: mark ? "grid" : "axis", d: `M${LEFT} ${y(mark)}H${width}`}));
    const texts = marks.slice(1).map((mark) => svg("text", {class: "tick", x: LEFT - 8, y: y(mark) + 3.5, "text-anchor": "end"}, this.#tick(mark)));
    const times = MINUTES.map((minute) =>
      svg("text", {class: "tick", x: x(this.#now - 60 * minute), y: HEIGHT - 5, "text-anchor": "middle"}, minute === 5 ? "−5 min" : `−${minute}`));
    times.push(svg("text", {class: "tick", x: width, y: HEIGHT - 5, "text-anchor": "end"}, "now"));
    return [...lines, ...texts, ...times];
  }

  #restarts({x}) {
    return this.#points.filter(({restart}) => restart).map(({t}) =>
      svg("path", {class: "restart", d: `M${x(t)} ${TOP}V${HEIGHT - BOTTOM}`}, svg("title", {}, "The server was restarted")));
  }

  #lines({x, y}) {
    return this.#options.series.flatMap(({key, ink}) => {
      const known = ({values}) => values !== null && values[key] !== null;
      const parts = runs(this.#points, known).map((run) =>
        "M" + run.map(({t, values}) => `${x(t).toFixed(1)} ${y(values[key]).toFixed(1)}`).join("L") + (run.length === 1 ? "h0" : ""));
      return parts.length ? [svg("path", {class: `line ink-${ink}`, d: parts.join(""), "data-series": key})] : [];
    });
  }

  #areas({x, y}) {
    const {series} = this.#options;
    const known = ({values}) => values !== null && series.every(({key}) => values[key] !== null);
    const all = runs(this.#points, known);
    const upTo = (values, count) => series.slice(0, count).reduce((sum, {key}) => sum + values[key], 0);
    const edge = (run, count) => run.map(({t, values}) => `${x(t).toFixed(1)} ${y(upTo(values, count)).toFixed(1)}`);
    return series.flatMap(({key, ink}, i) => {
      const parts = all.map((run) => `M${[...edge(run, i + 1), ...edge(run, i).reverse()].join("L")}Z`);
      return parts.length ? [svg("path", {class: `area ink-${ink}`, d: parts.join(""), "data-series": key})] : [];
    });
  }

  #cursor({x}) {
    if (this.#hover === null) return [];
    return [svg("path", {class: "cursor", d: `M${x(this.#now - this.#hover)} ${TOP}V${HEIGHT - BOTTOM}`})];
  }

  #point(event) {
    const box = event && this.#picture.getBoundingClientRect();
    const share = box && (event.clientX - box.left - LEFT) / (box.width - LEFT);
    this.#hover = box ? SPAN_S * (1 - Math.min(Math.max(share, 0), 1)) : null;
    this.#draw();
  }

  // The newest point, or the one next to the pointer.
  #chosen() {
    const t = this.#now - (this.#hover ?? 0);
    const near = (point) => Math.abs(point.t - t);
    const best = this.#points.reduce((left, right) => (left && near(left) <= near(right) ? left : right), null);
    return best && near(best) <= GAP_S ? best : null;
  }

  #readOut() {
    const point = this.#chosen();
    setText(this.#when, this.#hover === null ? "" : `${Math.round(this.#hover)} s ago`);
    for (const {key} of this.#options.series) setText(this.#legend[key], this.#say(point?.values?.[key]));
  }

  #summary() {
    const newest = this.#points.at(-1);
    const parts = this.#options.series.map(({key, label}) => {
      const all = this.#points.map(({values}) => values?.[key]).filter((value) => value !== null && value !== undefined);
      if (all.length === 0) return `${label}: nothing known`;
      return `${label}: now ${this.#say(newest?.values?.[key])}, at most ${this.#say(Math.max(...all))}`;
    });
    return `${this.#options.title}, last five minutes. ${parts.join("; ")}.`;
  }
}
