// The view "Live": the server's own metrics, asked once a second from the first look on, while the page can be seen.

import {Chart} from "./charts.js";
import {byId, el, setText} from "./dom.js";
import {bytes, count, percent, seconds, significant} from "./format.js";
import {GAP_S, History, points} from "./history.js";
import {parseMetrics} from "./metrics.js";
import {ModelTable} from "./model_table.js";
import {serves} from "./models.js";

const PERIOD_MS = 1000;
const PATIENCE_MS = 3000;
const PADDING_LOOKS_BACK = 60;  // intervals

const CHARTS = [
  {
    title: "Requests", note: "calls per second of all models, by outcome", format: significant, least: 1,
    series: [
      {key: "ok", label: "OK", ink: 2}, {key: "caller", label: "invalid", ink: 5},
      {key: "refused", label: "refused", ink: 0}, {key: "failed", label: "failed", ink: 6},
    ],
  },
  {
    title: "Response time", note: "estimated from histogram buckets, over 5 s", format: seconds, least: 1e-3,
    series: [{key: "p50", label: "p50", ink: 2}, {key: "p95", label: "p95", ink: 5}, {key: "p99", label: "p99", ink: 0}],
  },
  {
    title: "Where the time goes", note: "mean of each stage, over 5 s", format: seconds, stacked: true, least: 1e-3,
    series: [
      {key: "compute", label: "compute", ink: 2}, {key: "queue", label: "queue", ink: 0}, {key: "tokenize", label: "tokenize", ink: 3},
    ],
  },
  {
    title: "Batch size", note: "inputs computed together, over 5 s; p95 rounded up to 1, 2, 4, 8 …", format: significant, least: 2,
    series: [{key: "size", label: "mean", ink: 2}, {key: "sizeP95", label: "p95", ink: 0}],
  },
  {
    title: "Queue", note: "of all models: requests that wait, and calls under way", format: significant, least: 4,
    series: [{key: "waiting", label: "waiting", ink: 0}, {key: "inFlight", label: "in flight", ink: 2}],
  },
  {
    title: "Tokens", note: "per second, through the encoders", format: significant, stacked: true, least: 10,
    series: [{key: "tokens", label: "of texts", ink: 2}, {key: "padding", label: "padding", ink: 1}],
  },
];

export class Live {
  #api;
  #models;
  #history = new History();
  #charts = CHARTS.map((options) => new Chart(options));
  #table = new ModelTable(byId("model-table"));
  #select = byId("live-model");
  #pause = byId("live-pause");
  #started = false;
  #shown = false;
  #paused = false;
  #timer = 0;

  constructor(api, models) {
    this.#api = api;
    this.#models = models;
    byId("charts").append(...this.#charts.map((chart) => chart.element));
    this.#select.append(el("option", {value: ""}, "all"));
    this.#select.addEventListener("change", () => this.#draw());
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
    models.onChange(() => this.#drawTable());
    document.addEventListener("visibilitychange", () => this.#poll());
  }

  setShown(shown) {
    this.#shown = shown;
    if (!shown) return;
    if (!this.#started) this.#started = true, this.#poll();
    this.#draw();
    this.#drawTable();
  }

  #setPaused(paused) {
    this.#paused = paused;
    this.#pause.setAttribute("aria-pressed", String(paused));
    setText(this.#pause, paused ? "Go on" : "Pause");
    this.#poll();
  }

  async #poll() {
    clearTimeout(this.#timer);
    if (!this.#started || this.#paused || document.hidden) return;
    const began = performance.now();
    try {
      const samples = parseMetrics(await this.#api.metrics(PATIENCE_MS));
      this.#history.add(performance.now() / 1000, samples);
      setText(byId("live-notice"), "");
    } catch (error) {
      setText(byId("live-notice"), error.http === 401 ? "The server asks for an access token." : error.message);
    }
    clearTimeout(this.#timer);
    if (this.#paused || document.hidden) return;
    if (this.#shown) this.#draw();
    this.#timer = setTimeout(() => this.#poll(), Math.max(100, PERIOD_MS - (performance.now() - began)));
  }

  #draw() {
    const intervals = this.#history.intervals(this.#select.value);
    const drawn = points(intervals);
    // A page that was paused shows the time of its last figures.
    const now = this.#paused ? (drawn.at(-1)?.t ?? 0) : performance.now() / 1000;
    for (const chart of this.#charts) chart.show(drawn, now);
    this.#offerModels();
    this.#summarise(intervals, now);
    if (this.#shown) this.#table.setMetrics(this.#history);
  }

  #drawTable() {
    if (this.#shown && this.#models.all) this.#table.setModels(this.#models.all);
  }

  #offerModels() {
    const known = new Set([...this.#select.options].map(({value}) => value));
    for (const key of this.#history.models()) {
      if (known.has(key)) continue;
      const [, name, version] = /^(.*):(.*)$/s.exec(key);
      this.#select.append(el("option", {value: key}, `${name} v${version}`));
    }
  }

  #summarise(intervals, now) {
    const last = intervals.at(-1);
    if (!last || last.gap || now - last.t > 2 * GAP_S) return;
    const recent = intervals.slice(-PADDING_LOOKS_BACK).filter(({gap}) => !gap);
    const [padded, tokens] = ["padded", "tokens"].map((field) => recent.reduce((sum, one) => sum + one[field], 0));
    const parts = [];
    if (this.#models.all) parts.push(`${count(this.#models.all.filter(serves).length, "model")} serving`);
    if (last.memory !== null) parts.push(`${bytes(last.memory)} of memory`);
    if (last.queueTokens !== null) parts.push(`${count(last.queueTokens, "token")} waiting`);
    if (padded > 0) parts.push(`${percent(Math.max(0, 1 - tokens / padded))} padding in the last minute`);
    setText(byId("live-summary"), parts.join(" · "));
  }
}
