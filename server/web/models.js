// What the server has loaded, asked again from time to time, and which of it judges.

import {el, recall, remember, setText} from "./dom.js";

const CHOICE_KEY = "bertha.models";
const PERIOD_MS = 10_000;
export const MOST_CHOSEN = 16;  // of one Compare call
const FIRST_CHOSEN = 4;         // without a choice of the reader's

export function keyOf(model) {
  return `${model?.name ?? ""}:${model?.version ?? 0}`;
}

export function isClassifier(status) {
  return status.task === "sequence-classification";
}

export function serves(status) {
  return status.state === "STATE_SERVING";
}

/** "STATE_FAILED" as a person says it. */
export function stateName(status) {
  return {STATE_SERVING: "serving", STATE_LOADING: "loading", STATE_FAILED: "refused"}[status.state] ?? "unknown";
}

/** The list of models, polled while the page can be seen. Listeners get every new one. */
export class ModelList {
  #api;
  #listeners = [];
  #timer = 0;
  all = null;  // null: not known yet
  error = null;

  constructor(api) {
    this.#api = api;
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  async refresh() {
    clearTimeout(this.#timer);
    try {
      this.all = (await this.#api.models()).models ?? [];
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    for (const listener of this.#listeners) listener();
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.refresh(), this.error?.passing ? PERIOD_MS / 5 : PERIOD_MS);
  }
}

/** The checkboxes. The choice is kept by this browser; an address with a choice in it goes before that. */
export class Chooser {
  #box;
  #wanted;    // keys, or null for no choice yet
  #drawn = "";
  #statuses = [];

  constructor(box, changed) {
    this.#box = box;
    this.#wanted = recall("localStorage", CHOICE_KEY)?.split(",").filter(Boolean) ?? null;
    this.changed = changed;
  }

  /** The choice in an address: keys, or null to leave it as it is. */
  want(keys) {
    if (keys) this.#wanted = keys;
    this.#draw();
  }

  setModels(statuses) {
    this.#statuses = statuses;
    this.#draw();
  }

  /** The chosen models that can answer, in the server's order. */
  chosen() {
    const able = this.#statuses.filter((status) => isClassifier(status) && serves(status));
    const wanted = able.filter((status) => this.#wanted?.includes(keyOf(status.model)));
    if (this.#wanted && (wanted.length || this.#wanted.length === 0)) return wanted.slice(0, MOST_CHOSEN);
    const first = [...able].sort((left, right) => Number(right.is_default ?? 0) - Number(left.is_default ?? 0));
    return able.filter((status) => first.indexOf(status) < FIRST_CHOSEN);
  }

  #toggle(key, on) {
    const keys = this.chosen().map((status) => keyOf(status.model)).filter((other) => other !== key);
    this.#wanted = on ? [...keys, key] : keys;
    remember("localStorage", CHOICE_KEY, this.#wanted.join(","));
    this.#draw();
    this.changed();
  }

  // Only when something differs, so that the focus stays in the checkboxes while the list is polled.
  #draw() {
    const chosen = new Set(this.chosen().map((status) => keyOf(status.model)));
    const full = chosen.size >= MOST_CHOSEN;
    const state = JSON.stringify([this.#statuses.map((s) => [keyOf(s.model), s.task, s.state]), [...chosen]]);
    if (state === this.#drawn) return;
    this.#drawn = state;
    const focused = document.activeElement?.value;
    const classifiers = this.#statuses.filter(isClassifier);
    const others = this.#statuses.filter((status) => !isClassifier(status));
    const boxes = classifiers.map((status) => this.#checkbox(status, chosen, full));
    const list = el("div", {class: "choices"}, ...boxes);
    const legend = this.#box.querySelector("legend");
    setText(legend, classifiers.length ? "Models" : "No classifier is loaded");
    this.#box.replaceChildren(legend, list, ...this.#remarks(others, full));
    if (focused) [...list.querySelectorAll("input")].find((input) => input.value === focused)?.focus();
  }

  #checkbox(status, chosen, full) {
    const key = keyOf(status.model);
    const on = chosen.has(key);
    const off = !serves(status) || (full && !on);
    const change = (event) => this.#toggle(key, event.target.checked);
    const input = el("input", {type: "checkbox", value: key, disabled: off, onchange: change});
    input.checked = on;
    const several = this.#statuses.filter((other) => other.model?.name === status.model?.name).length > 1;
    const note = serves(status) ? (several ? `v${status.model.version ?? 0}` : "") : stateName(status);
    return el("label", {class: "choice"}, input, el("span", {dir: "auto"}, status.model?.name ?? ""),
      note ? el("small", {}, note) : null);
  }

  #remarks(others, full) {
    const remarks = [];
    if (full) remarks.push(el("p", {class: "hint"}, `At most ${MOST_CHOSEN} can judge together.`));
    if (others.length) {
      const names = others.flatMap((status, i) => [i ? ", " : "", el("b", {dir: "auto"}, status.model?.name ?? ""),
        ` (${(status.task || "unknown task").replaceAll("-", " ")})`]);
      remarks.push(el("p", {class: "hint"}, "Loaded too, but no classifiers of texts: ", ...names));
    }
    return remarks;
  }
}
