// Thumbs up and down on one answer. What is posted is the answer that was shown when the reader voted, with its text.

import {el, setText, svg} from "./dom.js";

const THUMB = "M7.200 10.500v9.500H4v-9.500zM9.700 11l3.700-8c1.500 0 2.500 1.100 2.500 2.500v3.700h3.600c1.200 0 2.100 1.100 1.900 2.200" +
  "l-1.200 7c-.2.900-1 1.600-1.900 1.600H9.700z";

// One server keeps feedback or keeps none: once one card knows, all do.
const server = {keepsNone: false, boxes: new Set()};

function thumb(down) {
  const picture = {viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", class: down ? "thumb down" : "thumb"};
  return svg("svg", picture, svg("path", {d: THUMB}));
}

export class VoteBox {
  #api;
  #labels;
  #answer = null;   // {text, model, label, score}: what a vote is about
  #state = "fresh"; // "asking" for the right label, "sending", "stored", "failed"
  #stale = false;
  #up;
  #down;
  #form;
  #select;
  #store;
  #note = el("p", {class: "vote-note", role: "status"});

  constructor(api, name, labels) {
    this.#api = api;
    this.#labels = labels;
    const button = (down, word) =>
      el("button", {type: "button", class: "vote", "aria-pressed": "false", onclick: () => this.#clicked(down)},
        thumb(down), word);
    this.#up = button(false, "Right");
    this.#down = button(true, "Wrong");
    this.#form = this.#makeForm();
    const row = el("div", {class: "vote-row"}, this.#up, this.#down, this.#note);
    this.element = el("div", {class: "votes", role: "group", "aria-label": `Is ${name} right?`}, row, this.#form);
    server.boxes.add(this);
    this.#draw();
  }

  dispose() {
    server.boxes.delete(this);
  }

  /** A new answer, or null for none. */
  show(answer) {
    this.#answer = answer;
    this.#state = "fresh";
    this.#up.setAttribute("aria-pressed", "false");
    this.#down.setAttribute("aria-pressed", "false");
    this.#say("");
    if (answer) this.#offer(this.#labels.filter((label) => label !== answer.label));
    this.#draw();
  }

  /** While the answer is about another text than the one that stands there. */
  setStale(stale) {
    this.#stale = stale;
    this.#draw();
  }

  #makeForm() {
    this.#select = el("select", {});
    this.#store = el("button", {type: "submit", class: "primary"}, "Store");
    const cancel = el("button", {type: "button", class: "quiet", onclick: () => this.#cancel()}, "Cancel");
    const submit = (event) => (event.preventDefault(), this.#post("VERDICT_WRONG", this.#select.value));
    const escape = (event) => event.key === "Escape" && this.#cancel();
    const label = el("label", {}, "What is right?", this.#select);
    return el("form", {class: "vote-form", hidden: true, onsubmit: submit, onkeydown: escape}, label, this.#store, cancel);
  }

  #offer(labels) {
    this.#select.replaceChildren(el("option", {value: ""}, "not said"), ...labels.map((label) => el("option", {value: label}, label)));
  }

  #clicked(down) {
    if (!down) return this.#post("VERDICT_RIGHT", "");
    this.#state = this.#state === "asking" ? "fresh" : "asking";
    this.#say("");
    this.#draw();
    if (this.#state === "asking") this.#select.focus();
  }

  #cancel() {
    this.#state = "fresh";
    this.#draw();
    this.#down.focus();
  }

  async #post(verdict, correct) {
    const answer = this.#answer;
    if (!answer || this.#stale || this.#state === "sending") return;
    const held = this.element.contains(document.activeElement);
    this.#state = "sending";
    this.#say("storing…");
    this.#draw();
    const {text, model, label, score} = answer;
    const request = {input: {text}, model: model.name, version: String(model.version ?? 0), label, score, verdict};
    if (correct) request.correct_label = correct;
    let failure = null;
    try {
      await this.#api.recordFeedback(request);
    } catch (error) {
      failure = error;
    }
    this.#ended(answer, verdict, failure);
    // The button that had the focus may be gone or off; the reader's place is kept.
    if (held && document.activeElement === document.body) this.#note.focus();
  }

  #ended(answer, verdict, failure) {
    if (failure?.status === "FAILED_PRECONDITION") return keepsNone();
    const current = this.#answer === answer;
    if (current) {
      this.#state = failure ? "failed" : "stored";
      (verdict === "VERDICT_RIGHT" ? this.#up : this.#down).setAttribute("aria-pressed", String(!failure));
    }
    const about = current ? "" : " (the text before)";
    this.#say(failure ? `not stored${about}: ${failure.message}` : `stored${about}`, failure);
    this.#draw();
  }

  #say(text, failure = null) {
    setText(this.#note, text);
    this.#note.tabIndex = -1;
    this.#note.classList.toggle("warns", Boolean(failure));
  }

  #draw() {
    const done = this.#state === "sending" || this.#state === "stored";
    const off = !this.#answer || this.#stale || done || server.keepsNone;
    this.#up.disabled = this.#down.disabled = this.#store.disabled = this.#select.disabled = off;
    this.#down.setAttribute("aria-expanded", String(this.#state === "asking"));
    this.#form.hidden = this.#state !== "asking" || server.keepsNone;
  }

  /** Tells that there is no use in voting. */
  close() {
    this.#state = "fresh";
    this.#say("This server keeps no feedback.");
    this.#draw();
  }
}

function keepsNone() {
  server.keepsNone = true;
  for (const box of server.boxes) box.close();
}
