// A half circle that the labels share: each one's part is its score, in the model's own order. With two labels it is one
// gauge between the two. Scores that do not share anything (several labels at once, a single number) show the best alone.

import {setText, svg} from "./dom.js";
import {percent, significant} from "./format.js";

const HALF_CIRCLE = "M18 100 A82 82 0 0 1 182 100";
const LENGTH = 100;  // of the path, by its pathLength
const GAP = 0.7;     // between neighbours
const COLOURS = 8;

/** How the scores of one result relate: "share" (they sum to 1), "each" (each for itself), "number" (regression). */
export function kindOf(scores) {
  if (scores.length === 1) return scores[0].score >= 0 && scores[0].score <= 1 && scores[0].label ? "each" : "number";
  const sum = scores.reduce((total, {score}) => total + score, 0);
  return Math.abs(sum - 1) < 0.01 ? "share" : "each";
}

/** The colour (0 to 7) of label `index` among `size`. The ends of the scale get the two that differ most. */
export function colourOf(index, size) {
  if (size <= 2) return index === 0 ? 0 : 2;
  return index % COLOURS;
}

export class Gauge {
  #arcs = [];
  #track = svg("path", {class: "track", d: HALF_CIRCLE, pathLength: LENGTH});
  #parts = svg("g");
  #number = svg("text", {class: "gauge-number", x: 100, y: 97, "text-anchor": "middle"}, "–");

  constructor() {
    const middle = svg("path", {class: "middle", d: "M100 7 V11"});
    // The numbers stand next to it as text; a reader of the screen hears those.
    const picture = {class: "gauge", viewBox: "0 0 200 104", "aria-hidden": "true", focusable: "false"};
    this.element = svg("svg", picture, this.#track, this.#parts, middle, this.#number);
  }

  clear() {
    for (const arc of this.#arcs) this.#place(arc, 0, 0);
    setText(this.#number, "–");
  }

  /** `scores`: [{label, score, index}], any order; all labels of the model. */
  show(scores) {
    const kind = kindOf(scores);
    const best = scores.reduce((left, right) => (right.score > left.score ? right : left));
    setText(this.#number, kind === "number" ? significant(best.score) : percent(best.score));
    if (kind === "share") this.#share([...scores].sort((left, right) => left.index - right.index));
    else this.#alone(kind === "number" ? 0 : best.score, colourOf(best.index, scores.length));
  }

  #share(scores) {
    let start = 0;
    this.#need(scores.length);
    scores.forEach(({score, index}, i) => {
      this.#colour(this.#arcs[i], colourOf(index, scores.length));
      this.#place(this.#arcs[i], start, score * LENGTH);
      start += score * LENGTH;
    });
  }

  #alone(score, colour) {
    this.#need(1);
    this.#colour(this.#arcs[0], colour);
    this.#place(this.#arcs[0], 0, Math.min(Math.max(score, 0), 1) * LENGTH);
  }

  #need(number) {
    while (this.#arcs.length < number) {
      const arc = svg("path", {class: "arc", d: HALF_CIRCLE, pathLength: LENGTH});
      this.#place(arc, 0, 0);
      this.#arcs.push(arc);
      this.#parts.append(arc);
    }
    while (this.#arcs.length > number) this.#arcs.pop().remove();
  }

  #colour(arc, colour) {
    arc.setAttribute("class", `arc ink-${colour}`);
  }

  #place(arc, start, length) {
    const seen = Math.max(length - GAP, 0);
    arc.style.strokeDasharray = `${seen} ${2 * LENGTH}`;
    arc.style.strokeDashoffset = `${-(start + GAP / 2)}`;
  }
}
