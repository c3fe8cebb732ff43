// Every model that was found: what computes it, whether it answers, and how far its answers are from the exporter's.

import {el} from "./dom.js";
import {tiny} from "./format.js";
import {keyOf, serves, stateName} from "./models.js";

const COLUMNS = ["Model", "State", "Engine", "Max |diff|", "Mean |diff|", "Tolerance", "Flips", "Remarks"];

export class ModelTable {
  #box;
  #statuses = [];
  #up = new Map();
  #worst = new Map();
  #drawn = "";

  constructor(box) {
    this.#box = box;
  }

  setModels(statuses) {
    this.#statuses = statuses;
    this.#draw();
  }

  /** `history`: the newest scrape knows sooner whether a model answers, and how its last check went. */
  setMetrics(history) {
    this.#up = history.latest("bertha_model_up");
    this.#worst = history.latest("bertha_self_check_max_abs_diff");
    this.#draw();
  }

  #draw() {
    const rows = this.#statuses.map((status) => this.#cells(status));
    const state = JSON.stringify(rows);
    if (state === this.#drawn) return;
    this.#drawn = state;
    if (rows.length === 0) return this.#box.replaceChildren(el("p", {class: "hint"}, "No model was found."));
    const head = el("tr", {role: "row"}, ...COLUMNS.map((title) => el("th", {scope: "col", role: "columnheader"}, title)));
    const body = rows.map((cells, i) => el("tr", {role: "row"}, ...cells.map((text, k) => this.#cell(text, k, i))));
    // The roles say again what the elements are: on a phone the style sheet stacks the cells, and browsers would forget.
    this.#box.replaceChildren(el("table", {class: "models", role: "table", "aria-labelledby": "models-title"},
      el("thead", {role: "rowgroup"}, head), el("tbody", {role: "rowgroup"}, ...body)));
  }

  #cell(text, column, row) {
    const title = COLUMNS[column];
    if (column === 0) return el("th", {scope: "row", role: "rowheader", dir: "auto"}, text);
    const cell = el("td", {role: "cell", "data-title": title});
    if (column === 1) cell.append(el("span", {class: `state ${this.#stateOf(this.#statuses[row]).replace(/ .*/, "")}`}, text));
    else cell.append(text);
    if (text === "") cell.classList.add("empty");
    return cell;
  }

  #stateOf(status) {
    const down = serves(status) && this.#up.get(keyOf(status.model)) === 0;
    return down ? "failing now" : stateName(status);
  }

  #cells(status) {
    const {model = {}, self_check: check} = status;
    const engine = [model.engine, model.dtype, model.device].filter(Boolean).join(" · ");
    const shown = [status.task?.replaceAll("-", " "), ...(status.version_labels ?? []), status.is_default ? "default" : ""];
    const remarks = [shown.filter(Boolean).join(", "), status.reason, status.refused_update, ...(status.refused_engines ?? [])];
    const worst = this.#worst.get(keyOf(model)) ?? check?.max_abs_diff;
    const figures = check || worst !== undefined ?
      [tiny(Number(worst ?? 0)), tiny(Number(check?.mean_abs_diff ?? 0)), tiny(Number(check?.tolerance ?? 0)),
        `${check?.flips ?? 0} of ${check?.decisions ?? 0}`] : ["", "", "", ""];
    return [`${model.name ?? ""} v${model.version ?? 0}`, this.#stateOf(status), engine, ...figures, remarks.filter(Boolean).join("\n")];
  }
}
