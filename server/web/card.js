// One model's verdict: gauge, label, every label's score, tokens, time, thumbs. The elements stay and change in place, so
// that gauges move instead of jump, and a reader's focus stays where it is.

import {el, setText} from "./dom.js";
import {percent, significant} from "./format.js";
import {colourOf, Gauge, kindOf} from "./gauge.js";
import {LatencyBar} from "./latency.js";
import {TokenList} from "./tokens.js";
import {VoteBox} from "./votes.js";

const MOST_LABELS = 8;  // more are folded away
const BEST_LABELS = 5;  // that are not, then

/** The answer of a ClassifyResult with every field that the page needs. */
function readScores(result) {
  return (result.scores ?? []).map(({label = "", score = 0, index = 0}) => ({label, score: Number(score), index}));
}

function scoreText(score, kind) {
  return kind === "number" ? significant(score) : percent(score);
}

function bar(score, colour) {
  const full = el("span", {class: `fill ink-${colour}`});
  full.style.width = `${100 * Math.min(Math.max(score, 0), 1)}%`;
  return el("span", {class: "label-bar", "aria-hidden": "true"}, full);
}

export class Card {
  #gauge = new Gauge();
  #latency = new LatencyBar();
  #label = el("p", {class: "verdict"});
  #scores = el("ul", {class: "labels"});
  #rest = el("ul", {class: "labels"});
  #restTitle = el("summary", {});
  #folded = el("details", {class: "folded", hidden: true}, this.#restTitle, this.#rest);
  #error = el("p", {class: "card-error", hidden: true});
  #answer;
  #tokens;
  #votes;

  /** `status`: the model's ModelStatus. */
  constructor(api, status, id) {
    const {name = "", version = "0", engine, dtype, device} = status.model;
    this.#tokens = new TokenList(name);
    this.#votes = new VoteBox(api, name, status.labels ?? []);
    const title = el("h2", {id, dir: "auto"}, name);
    const facts = [`v${version}`, engine, dtype, device].filter(Boolean).join(" · ");
    const head = el("header", {class: "card-head"}, title, el("p", {class: "facts"}, facts));
    this.#answer = el("div", {class: "answer"}, this.#gauge.element, this.#label, this.#scores, this.#folded);
    this.element = el("article", {class: "card", "aria-labelledby": id}, head, this.#error, this.#answer,
      this.#tokens.element, this.#latency.element, this.#votes.element);
    this.clear();
  }

  dispose() {
    this.#votes.dispose();
    this.element.remove();
  }

  clear() {
    this.#error.hidden = true;
    this.#answer.hidden = false;
    this.#gauge.clear();
    setText(this.#label, "waiting for a text");
    this.#label.className = "verdict none";
    this.#scores.replaceChildren();
    this.#folded.hidden = true;
    this.#tokens.clear();
    this.#latency.clear();
    this.#votes.show(null);
    this.setStale(false);
  }

  /** Until show(): what stands here is about a text that has changed since. */
  setStale(stale) {
    this.element.classList.toggle("stale", stale);
    this.element.setAttribute("aria-busy", String(stale));
    this.#votes.setStale(stale);
  }

  /** `outcome`: the CompareResult for `text`. Returns the verdict in words. */
  show(text, outcome, scaleUs) {
    this.setStale(false);
    this.#tokens.show(outcome.tokens);
    if (outcome.error) return this.#fail(outcome.error.message || `error ${outcome.error.code}`);
    const scores = readScores(outcome.result ?? {});
    if (scores.length === 0) return this.#fail("The model gave no scores.");
    this.#error.hidden = true;
    this.#answer.hidden = false;
    const best = this.#showScores(scores);
    this.#latency.show(outcome.result.timing, outcome.result.batch, scaleUs);
    this.#votes.show({text, model: outcome.model, label: best.label, score: best.score});
    return `${best.label} ${scoreText(best.score, kindOf(scores))}`;
  }

  #fail(message) {
    this.#answer.hidden = true;
    this.#error.hidden = false;
    setText(this.#error, message);
    this.#latency.clear();
    this.#votes.show(null);
    return message;
  }

  #showScores(scores) {
    const kind = kindOf(scores);
    const ranked = [...scores].sort((left, right) => right.score - left.score);
    this.#gauge.show(scores);
    setText(this.#label, ranked[0].label);
    this.#label.className = `verdict tint-${colourOf(ranked[0].index, scores.length)}`;
    this.#scores.classList.toggle("ends", kind === "share" && scores.length === 2);
    const few = scores.length <= MOST_LABELS;
    const first = few ? [...scores].sort((left, right) => left.index - right.index) : ranked.slice(0, BEST_LABELS);
    const rest = few ? [] : ranked.slice(BEST_LABELS);
    const row = ({label, score, index}) =>
      el("li", {class: index === ranked[0].index ? "best" : null},
        el("span", {class: "label-name", dir: "auto"}, label),
        el("span", {class: "label-score"}, scoreText(score, kind)),
        kind === "number" ? null : bar(score, colourOf(index, scores.length)));
    this.#scores.replaceChildren(...first.map(row));
    this.#rest.replaceChildren(...rest.map(row));
    setText(this.#restTitle, `${rest.length} more labels`);
    this.#folded.hidden = rest.length === 0;
    return ranked[0];
  }
}
