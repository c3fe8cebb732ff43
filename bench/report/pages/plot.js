// A plot in SVG: axes, lines, steps, bars and marks, and a cursor that follows the pointer or the arrow keys and says the
// values there. For assistive technology it is a slider over the places of the x axis, whose value is read out.

import {el, setText, svg} from "../../../server/web/dom.js";

const LEFT = 58;
const RIGHT = 14;
const TOP = 20;
const BOTTOM = 34;
const PANEL_GAP = 26;

const px = (value) => value.toFixed(1);

/** "M1 2L3 4": breaks where a value is missing. */
function path(points, kind) {
  let d = "";
  let pen = false;
  for (const [x, y] of points) {
    if (y === null) {
      pen = false;
    } else {
      d += !pen ? `M${px(x)} ${px(y)}` : kind === "step" ? `H${px(x)}V${px(y)}` : `L${px(x)} ${px(y)}`;
      pen = true;
    }
  }
  return d;
}

export class Plot {
  #options;
  #cursor = null;  // index into #places
  #places;         // all x values, ascending
  #picture = svg("svg", {class: "plot-picture", "aria-hidden": "true"});
  #tip = el("div", {class: "plot-tip", hidden: true, "aria-hidden": "true"});

  /**
   * {title, x: {scale, format, label, say?(value)}, panels: [{height, scale, format, label, series, marks}], xMarks}:
   * the panels stand one over the other and share x. A series is {label, ink, kind: "line" | "step" | "bars", dash, dots, points:
   * [{x, y, hollow, off}]}; of a point `y` may be null, `off` says why it is beyond the top, `low` and `high`
   * are the ends of its whisker. `exact`: it has values at its own places only; `quiet`: it explains and has none. A mark is
   * {at, label, ink}; one beside the axis is not drawn.
   */
  constructor(options) {
    this.#options = options;
    const shown = options.panels.flatMap(({series}) => series).filter(({quiet}) => !quiet);
    const all = shown.flatMap(({points}) => points.map(({x}) => x));
    this.#places = [...new Set(all)].sort((left, right) => left - right);
    this.element = el("div", {
      class: "plot", role: "slider", tabindex: 0, "aria-label": `${options.title}: values at`, "aria-valuemin": 0,
      "aria-valuemax": Math.max(this.#places.length - 1, 0), "aria-valuenow": 0, "aria-valuetext": "use the arrow keys",
      onpointermove: (event) => this.#point(event), onpointerleave: () => this.#move(null),
      onkeydown: (event) => this.#press(event), onblur: () => this.#move(null),
    }, this.#picture, this.#tip);
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  #height() {
    return TOP + BOTTOM + this.#options.panels.reduce((sum, {height}) => sum + height + PANEL_GAP, -PANEL_GAP);
  }

  #draw() {
    const width = Math.max(this.element.clientWidth, 200);
    const height = this.#height();
    this.#picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#picture.setAttribute("height", height);
    const inner = width - LEFT - RIGHT;
    const x = (value) => LEFT + inner * this.#options.x.scale.place(value);
    const parts = [...this.#xAxis(x, width)];
    let top = TOP;
    for (const panel of this.#options.panels) {
      const y = (value) => top + panel.height * (1 - Math.min(Math.max(panel.scale.place(value), 0), 1.02));
      parts.push(...this.#panel(panel, {x, y, top, width}));
      top += panel.height + PANEL_GAP;
    }
    this.#picture.replaceChildren(...parts, svg("g", {class: "plot-cursor"}));
    this.#drawCursor();
  }

  #bottom() {
    return this.#height() - BOTTOM;
  }

  // Marks whose texts would touch the one before are left without.
  #xAxis(x, width) {
    const {scale, format, label} = this.#options.x;
    const bottom = this.#bottom();
    const parts = [];
    let free = -Infinity;
    for (const mark of scale.marks) {
      const text = format(mark);
      const half = text.length * 3.1;
      const at = Math.min(Math.max(x(mark), LEFT + half - 8), width - half);
      parts.push(svg("path", {class: "tick-line", d: `M${px(x(mark))} ${bottom}v4`}));
      if (at - half < free + 6) continue;
      parts.push(svg("text", {class: "tick", x: px(at), y: bottom + 15, "text-anchor": "middle"}, text));
      free = at + half;
    }
    parts.push(svg("text", {class: "axis-name", x: width - RIGHT, y: bottom + 30, "text-anchor": "end"}, label));
    const within = (this.#options.xMarks ?? []).filter(({at}) => scale.place(at) >= 0 && scale.place(at) <= 1);
    within.forEach((mark, i) => parts.push(...this.#upright(x(mark.at), mark, i, width)));
    return parts;
  }

  // Its name stands at the bottom of the first panel, above that of the mark before.
  #upright(at, {label, ink}, i, width) {
    const left = at < width * 0.6;
    const y = TOP + this.#options.panels[0].height - 8 - 13 * i;
    return [
      svg("path", {class: `mark ink-${ink}`, d: `M${px(at)} ${TOP}V${this.#bottom()}`}),
      svg("text", {class: `mark-name name-${ink}`, x: px(at + (left ? 5 : -5)), y: px(y), "text-anchor": left ? "start" : "end"}, label),
    ];
  }

  #panel(panel, {x, y, top, width}) {
    const parts = [svg("text", {class: "axis-name", x: LEFT, y: top - 9}, panel.label)];
    for (const mark of panel.scale.marks) {
      parts.push(svg("path", {class: "grid", d: `M${LEFT} ${px(y(mark))}H${width - RIGHT}`}));
      parts.push(svg("text", {class: "tick", x: LEFT - 7, y: px(y(mark) + 3.5), "text-anchor": "end"}, panel.format(mark)));
    }
    parts.push(svg("path", {class: "axis", d: `M${LEFT} ${px(top + panel.height)}H${width - RIGHT}`}));
    for (const {at, label, ink} of panel.marks ?? []) {
      parts.push(svg("path", {class: `mark ink-${ink}`, d: `M${LEFT} ${px(y(at))}H${width - RIGHT}`}));
      parts.push(svg("text", {class: `mark-name name-${ink}`, x: LEFT + 6, y: px(y(at) + (y(at) - top < 14 ? 13 : -5))}, label));
    }
    for (const series of panel.series) parts.push(...this.#series(series, {x, y, top}));
    return parts;
  }

  #series({ink, kind, dash, dots, points, band}, {x, y, top}) {
    if (kind === "bars") {
      return points.filter((point) => point.y > 0).map((point) => {
        const [from, to] = [x(point.from), x(point.to)];
        const gap = to - from > 6 ? 1 : 0;
        const height = Math.max(y(0) - y(point.y), 1);
        return svg("rect", {class: `column ink-${ink}`, x: px(from + gap / 2), y: px(y(0) - height), width: px(Math.max(to - from - gap, 0.6)), height: px(height)});
      });
    }
    const placed = points.map((point) => [x(point.x), point.y === null ? null : y(point.y)]);
    const classes = `line ink-${ink}${dash ? " dashed" : ""}`;
    const made = [];
    if (band) made.push(svg("path", {class: `band ink-${ink}`, d: `${path(placed, kind)}V${px(y(0))}H${px(placed[0]?.[0] ?? 0)}Z`}));
    made.push(svg("path", {class: classes, d: path(placed, kind)}));
    points.forEach((point, i) => {
      const [at, height] = placed[i];
      if (point.low !== undefined) made.push(svg("path", {class: `whisker ink-${ink}`, d: `M${px(at)} ${px(y(point.low))}V${px(y(point.high))}`}));
      if (point.off) made.push(svg("path", {class: `off ink-${ink}`, d: `M${px(at - 4.5)} ${top + 8}h9l-4.5 -8Z`}));
      else if (height !== null && (dots || points.length === 1)) {
        made.push(svg("circle", {class: `dot ink-${ink}${point.hollow ? " hollow" : ""}`, cx: px(at), cy: px(height), r: 3.4}));
      }
    });
    return made;
  }

  #point(event) {
    if (this.#places.length === 0) return;
    const box = this.#picture.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    const {place} = this.#options.x.scale;
    let best = 0;
    this.#places.forEach((value, i) => {
      if (Math.abs(place(value) - share) < Math.abs(place(this.#places[best]) - share)) best = i;
    });
    this.#move(best);
  }

  #press(event) {
    const last = this.#places.length - 1;
    const now = this.#cursor ?? -1;
    const far = Math.max(1, Math.round(last / 10));
    const next = {ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1, PageUp: now + far,
      PageDown: now - far, Home: 0, End: last}[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.#move(Math.min(Math.max(next, 0), last));
  }

  #move(index) {
    this.#cursor = index;
    this.#drawCursor();
    if (index === null) return;
    this.element.setAttribute("aria-valuenow", index);
    const said = this.#values().map(({label, text}) => `${label} ${text}`);
    this.element.setAttribute("aria-valuetext", `${this.#where()}: ${said.join(", ")}`);
  }

  #where() {
    const {format, say} = this.#options.x;
    return (say ?? format)(this.#places[this.#cursor]);
  }

  // Of each series what it has at the cursor, or just before where its own places are others.
  #values() {
    const at = this.#places[this.#cursor];
    return this.#options.panels.flatMap(({series, format, say}) => series.flatMap(({label, ink, points, exact, quiet}) => {
      if (quiet) return [];
      const point = exact ? points.find(({x}) => x === at) : points.findLast(({x}) => x <= at);
      if (!point) return [];
      const text = point.off ?? (point.y === null ? "–" : (say ?? format)(point.y));
      return [{label, ink, text}];
    }));
  }

  #drawCursor() {
    const group = this.#picture.querySelector(".plot-cursor");
    this.#tip.hidden = this.#cursor === null || !group;
    group?.replaceChildren();
    if (this.#tip.hidden) return;
    const width = Math.max(this.element.clientWidth, 200);
    const at = LEFT + (width - LEFT - RIGHT) * this.#options.x.scale.place(this.#places[this.#cursor]);
    group.replaceChildren(svg("path", {d: `M${px(at)} ${TOP}V${this.#bottom()}`}));
    const rows = this.#values().map(({label, ink, text}) =>
      el("div", {}, el("span", {class: `key ink-${ink}`}), el("span", {}, label), el("b", {}, text)));
    const head = el("p", {});
    setText(head, this.#where());
    this.#tip.replaceChildren(head, ...rows);
    const room = this.#tip.offsetWidth + 14;
    this.#tip.style.left = `${Math.max(0, at + room < width ? at + 12 : at - room)}px`;
  }
}
