// A text as one model saw it. One list that is a single stop of the Tab key: the arrow keys, a finger or the pointer pick a
// token, and the line below says what it is.

import {el, setText} from "./dom.js";
import {count} from "./format.js";

const MOST = 600;  // tokens that are drawn
let lists = 0;

function describe(token) {
  const parts = [`id ${token.id ?? 0}`];
  if (token.special) parts.push("added by the tokenizer");
  if (token.chars) {
    const {begin = 0, end = 0} = token.chars;
    parts.push(end - begin === 1 ? `character ${begin + 1}` : `characters ${begin + 1}–${end}`);
  }
  if (token.sequence) parts.push("second text");
  if (token.cut) parts.push("cut off: not judged");
  return parts.join(" · ");
}

export class TokenList {
  #id = `tokens-${++lists}`;
  #tokens = [];
  #active = -1;
  #list;
  #summary = el("p", {class: "part-note"});
  #detail = el("p", {class: "token-detail", "aria-live": "polite"});
  #more = el("p", {class: "token-more", hidden: true});

  constructor(name) {
    const label = `Tokens as ${name} saw them; arrow keys to walk`;
    this.#list = el("ul", {class: "tokens", role: "listbox", tabindex: 0, "aria-label": label, id: this.#id});
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    this.#list.addEventListener("pointerover", (event) => this.#point(event, false));
    this.#list.addEventListener("click", (event) => this.#point(event, true));
    this.#list.addEventListener("pointerleave", () => this.#pick(-1, false));
    this.#list.addEventListener("blur", () => this.#pick(-1, false));
    const title = el("h3", {}, "Tokens");
    const head = el("div", {class: "part-head"}, title, this.#summary);
    this.element = el("section", {class: "part token-part", hidden: true}, head, this.#list, this.#more, this.#detail);
  }

  clear() {
    this.element.hidden = true;
  }

  /** `seen`: a TokenizeResult, or nothing if the model does not tell. */
  show(seen) {
    this.#tokens = seen?.tokens ?? [];
    this.#active = -1;
    this.element.hidden = this.#tokens.length === 0;
    if (this.element.hidden) return;
    const cut = this.#tokens.filter((token) => token.cut).length;
    const summary = `${seen.computed ?? this.#tokens.length - cut} of at most ${seen.max_length ?? "?"}`;
    setText(this.#summary, cut ? `${summary} · ${cut} cut off` : summary);
    this.#summary.classList.toggle("warns", cut > 0);
    this.#draw();
    const left = this.#tokens.length - MOST;
    this.#more.hidden = left <= 0;
    if (left > 0) setText(this.#more, `and ${count(left, "token")} more`);
    this.#tell();
  }

  #draw() {
    this.#list.removeAttribute("aria-activedescendant");
    this.#list.replaceChildren(...this.#tokens.slice(0, MOST).map((token, i) => {
      const kind = token.cut ? "token cut" : token.special ? "token special" : "token";
      const attributes = {class: kind, role: "option", id: `${this.#id}-${i}`, "aria-selected": "false", dir: "auto"};
      const item = el("li", {...attributes, title: describe(token)}, token.text || "\u00a0");
      item.dataset.at = i;
      return item;
    }));
  }

  #point(event, stay) {
    const at = event.target.closest?.(".token")?.dataset.at;
    if (at !== undefined) this.#pick(Number(at), stay);
  }

  #key(event) {
    const last = Math.min(this.#tokens.length, MOST) - 1;
    const at = this.#active;
    const to = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at < 0 ? last : at - 1, ArrowUp: at < 0 ? last : at - 1,
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#pick(event.key === "Escape" ? -1 : Math.min(Math.max(to, 0), last), true);
  }

  #pick(at, scroll) {
    this.#list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    this.#active = at;
    const item = this.#list.children[at];
    if (item) {
      item.setAttribute("aria-selected", "true");
      this.#list.setAttribute("aria-activedescendant", item.id);
      if (scroll) item.scrollIntoView({block: "nearest"});
    } else {
      this.#list.removeAttribute("aria-activedescendant");
    }
    this.#tell();
  }

  #tell() {
    const token = this.#tokens[this.#active];
    this.#detail.replaceChildren();
    if (!token) return;
    this.#detail.append(el("code", {dir: "auto"}, token.text ?? ""), ` ${describe(token)}`);
  }
}
