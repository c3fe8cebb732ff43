// The page: which view is shown, the theme, and the access token. The address after # says what one looks at:
// "#judge?models=NAME:VERSION,NAME:VERSION" or "#live".

import {Api} from "./api.js";
import {byId, recall, remember, setText} from "./dom.js";
import {Judge} from "./judge.js";
import {Live} from "./live.js";
import {ModelList} from "./models.js";

const TITLES = {judge: "Judge · bertha", live: "Live · bertha"};

function parseAddress() {
  const [view, query] = location.hash.slice(1).split("?");
  const models = new URLSearchParams(query ?? "").get("models");
  return {view: view === "live" ? "live" : "judge", keys: models === null ? null : models.split(",").filter(Boolean)};
}

/** As a reader would write it: names and versions need no escapes but where an address has a meaning of its own. */
function judgeAddress(keys) {
  return `#judge?models=${keys.map((key) => encodeURIComponent(key).replaceAll("%3A", ":")).join(",")}`;
}

function setUpViews(judge, live) {
  let shown = null;
  const links = document.querySelectorAll("nav [data-view]");
  const show = () => {
    const {view, keys} = parseAddress();
    if (view === "judge") judge.want(keys);
    if (view === shown) return;
    for (const name of Object.keys(TITLES)) byId(name).hidden = name !== view;
    for (const link of links) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = TITLES[view];
    live.setShown(view === "live");
    if (shown) byId("main").focus({preventScroll: true});  // a new view is read from its beginning
    shown = view;
  };
  window.addEventListener("hashchange", show);
  show();
}

function setUpTheme() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const draw = () => {
    setText(button, isDark() ? "Light" : "Dark");
    button.setAttribute("aria-label", `${button.textContent} theme`);
  };
  button.addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark";
    // Back to what the system says anyway: then follow the system again.
    const follows = wanted === (system.matches ? "dark" : "light");
    if (follows) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = wanted;
    remember("localStorage", "bertha.theme", follows ? null : wanted);
    draw();
  });
  system.addEventListener("change", draw);
  draw();
}

function setUpAccess(api, tokenGiven) {
  const form = byId("access");
  const field = byId("access-token");
  api.onUnauthorised = () => {
    if (!form.hidden) return;
    form.hidden = false;
    setText(byId("access-hint"), recall("sessionStorage", "bertha.token") === null ?
      "It is kept until this tab is closed, and sent to this server only." : "The server did not take the last one.");
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    api.setToken(field.value.trim());
    field.value = "";
    form.hidden = true;
    tokenGiven();
  });
}

function main() {
  const api = new Api();
  const models = new ModelList(api);
  const judge = new Judge(api, models, (keys) => history.replaceState(null, "", judgeAddress(keys)));
  const live = new Live(api, models);
  setUpTheme();
  setUpAccess(api, () => models.refresh().then(() => judge.again()));
  setUpViews(judge, live);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();  // the part after # is the view's
    byId("main").focus();
  });
  models.refresh();
}

main();
