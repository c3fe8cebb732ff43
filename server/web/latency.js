// Where the time went: tokenize, queue, compute, on one scale for all cards, so that bars compare.

import {el, setText} from "./dom.js";
import {count, duration} from "./format.js";

export const STAGES = ["tokenize", "queue", "compute"];

export class LatencyBar {
  #total = el("p", {class: "part-note"});
  #bar = el("div", {class: "latency-bar", "aria-hidden": "true"});
  #batch = el("p", {class: "batch"});
  #parts = {};

  constructor() {
    const legend = el("dl", {class: "latency-legend"});
    for (const stage of STAGES) {
      const piece = el("span", {class: `stage-${stage}`});
      const value = el("dd", {}, "–");
      this.#bar.append(piece);
      legend.append(el("div", {}, el("dt", {class: `key stage-${stage}`}, stage), value));
      this.#parts[stage] = {piece, value};
    }
    const head = el("div", {class: "part-head"}, el("h3", {}, "Time"), this.#total);
    this.element = el("section", {class: "part time-part", hidden: true}, head, this.#bar, legend, this.#batch);
  }

  clear() {
    this.element.hidden = true;
  }

  /** `scaleUs`: what the whole width of the bar stands for, in microseconds. */
  show(timing = {}, batch = {}, scaleUs) {
    this.element.hidden = false;
    setText(this.#total, `${duration(timing.total_us ?? 0)} in all`);
    for (const stage of STAGES) {
      const us = timing[`${stage}_us`] ?? 0;
      setText(this.#parts[stage].value, duration(us));
      this.#parts[stage].piece.style.width = `${(100 * us) / Math.max(scaleUs, 1)}%`;
    }
    const size = batch.size ?? 1;
    const company = size > 1 ? `In a batch of ${size}` : "Alone in its batch";
    setText(this.#batch, `${company} · ${count(batch.tokens ?? 0, "token")}`);
  }
}
