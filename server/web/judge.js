// The view "Judge": what is typed is judged after each word by every chosen model, and only answers about the text as it
// stands are ever shown.

import {sleep, withRetries} from "./api.js";
import {Card} from "./card.js";
import {byId, el, setText} from "./dom.js";
import {duration} from "./format.js";
import {EXAMPLES} from "./examples.js";
import {Chooser, keyOf} from "./models.js";

const DEBOUNCE_MS = 150;
const SPEAK_AFTER_MS = 700;  // of quiet: nobody wants every keystroke's verdict read aloud
const AGAIN = new Set([8, 14]);  // gRPC codes of one model's result that pass: RESOURCE_EXHAUSTED, UNAVAILABLE
const MOST_AGAIN = 3;

/** A text that ends a word: white space, or punctuation. */
const endsWord = (inserted) => /[\s\p{P}]$/u.test(inserted ?? "");

export class Judge {
  #api;
  #text = byId("text");
  #notice = byId("judge-notice");
  #verdicts = byId("verdicts");
  #grid = byId("cards");
  #cards = new Map();      // key -> Card
  #chooser;
  #newest = 0;             // number of the newest question; answers to older ones are dropped
  #underWay = new AbortController();
  #timer = 0;
  #speech = 0;
  #asking = false;         // a question is under way, and the notice is its
  #lost = false;           // the last question failed for what may pass

  /** `choiceChanged(keys)`: the reader chose models. */
  constructor(api, models, choiceChanged) {
    this.#api = api;
    this.#chooser = new Chooser(byId("chooser"), () => {
      choiceChanged(this.#keys());
      this.#choose();
    });
    models.onChange(() => this.#modelsChanged(models));
    this.#text.addEventListener("input", (event) => this.#typed(endsWord(event.data) ? 0 : DEBOUNCE_MS));
    byId("examples").append(...EXAMPLES.map(([name, text]) =>
      el("button", {type: "button", class: "example", title: text, onclick: () => this.#take(text)}, name)));
  }

  /** The choice of an address: keys, or null. */
  want(keys) {
    this.#chooser.want(keys);
    this.#choose();
  }

  /** Judges again, after something outside changed, e.g. the access token. */
  again() {
    this.#typed(0);
  }

  #keys() {
    return this.#chooser.chosen().map((status) => keyOf(status.model));
  }

  #take(text) {
    this.#text.value = text;
    this.#typed(0);
  }

  #modelsChanged(models) {
    if (models.all) {
      this.#chooser.setModels(models.all);
      this.#choose();
    }
    if (models.error) this.#say(models.error.message);
    else if (models.all.length === 0) this.#say("The server has no models yet.");
    else if (this.#lost) this.again();  // the server is back
    else if (!this.#asking) this.#say("");
  }

  // One card for each chosen model. Those that stay keep what they show.
  #choose() {
    const chosen = this.#chooser.chosen();
    const keys = new Set(chosen.map((status) => keyOf(status.model)));
    for (const [key, card] of this.#cards) {
      if (!keys.has(key)) card.dispose(), this.#cards.delete(key);
    }
    const added = chosen.filter((status) => !this.#cards.has(keyOf(status.model)));
    added.forEach((status) => this.#cards.set(keyOf(status.model), new Card(this.#api, status, `card-${keyOf(status.model)}`)));
    chosen.forEach((status, i) => {
      const element = this.#cards.get(keyOf(status.model)).element;
      if (this.#grid.children[i] !== element) this.#grid.insertBefore(element, this.#grid.children[i] ?? null);
    });
    if (added.length) this.#typed(0);
  }

  #typed(delay) {
    this.#newest++;
    this.#lost = this.#asking = false;
    this.#underWay.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#speech);
    const text = this.#text.value.toWellFormed?.() ?? this.#text.value;
    if (text.trim() === "" || this.#cards.size === 0) {
      for (const card of this.#cards.values()) card.clear();
      setText(this.#verdicts, "");
      return;
    }
    for (const card of this.#cards.values()) card.setStale(true);
    this.#timer = setTimeout(() => this.#ask(text), delay);
  }

  async #ask(text) {
    const number = ++this.#newest;
    const {signal} = (this.#underWay = new AbortController());
    const models = this.#chooser.chosen().map(({model}) => ({name: model.name, version: String(model.version ?? 0)}));
    const waiting = (error, ms) => this.#say(`${error.message} Trying again in ${duration(1000 * ms)}.`);
    const ask = () => withRetries(() => this.#api.compare({input: {text}, models, tokens: true}, signal), signal, waiting);
    this.#asking = true;
    try {
      for (let tried = 0; ; tried++) {
        const {results = []} = await ask();
        if (number !== this.#newest) return;
        this.#say("");
        this.#show(text, models, results);
        const wait = results.filter(({error}) => AGAIN.has(error?.code)).map(({error}) => error.retry_after_ms ?? 0);
        if (wait.length === 0 || tried === MOST_AGAIN) break;
        await sleep(Math.max(50, ...wait), signal);
      }
    } catch (error) {
      if (number === this.#newest && !signal.aborted) this.#failed(error);
    } finally {
      if (number === this.#newest) this.#asking = false;
    }
  }

  #show(text, models, results) {
    const scaleUs = Math.max(1, ...results.map(({result}) => result?.timing?.total_us ?? 0));
    const spoken = results.map((outcome, i) => {
      const key = keyOf(models[i]);  // results come in the order of the question
      const words = this.#cards.get(key)?.show(text, outcome, scaleUs);
      return `${models[i]?.name}: ${words}.`;
    });
    this.#speech = setTimeout(() => setText(this.#verdicts, spoken.join(" ")), SPEAK_AFTER_MS);
  }

  #failed(error) {
    this.#lost = error.passing === true;
    const again = el("button", {type: "button", onclick: () => this.again()}, "Try again");
    this.#say(error.status === "UNAUTHENTICATED" || error.http === 401 ? "The server asks for an access token." : error.message);
    if (error.http !== 401) this.#notice.append(" ", again);
  }

  #say(text) {
    setText(this.#notice, text);
  }
}
