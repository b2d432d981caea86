// The shown picture in, the panel beside it out: verdict or failure, defects, times, facts, files.

import { byId, icon, make } from "./dom.js";
import { advise } from "./errors.js";
import { describe } from "./list.js";
import { canRetry } from "./overall.js";
import { DefectTable } from "./table.js";
import { bytes, plural, score } from "./text.js";
import { makeTimes } from "./times.js";

/** @typedef {import("./state.js").Item} Item */

/**
 * @typedef {object} Acts what the buttons do
 * @property {(number: number | null) => void} mark
 * @property {(item: Item) => void} retry
 * @property {(item: Item) => void} cancel
 * @property {(item: Item) => void} remove
 * @property {(item: Item) => void} saveJson
 * @property {(item: Item) => void} saveOverlay
 * @property {(item: Item) => void} saveMask
 */

export class Detail {
  constructor(/** @type {import("./state.js").State} */ state, /** @type {Acts} */ acts) {
    this.state = state;
    this.acts = acts;
    this.told = "";
    /** @type {DefectTable | null} */
    this.table = null;
    state.addEventListener("selected", () => this.render());
  }

  render() {
    const item = this.state.selected;
    const told = item ? [item.id, item.phase, item.attempts, this.state.model?.sha256].join("|") : "";
    if (told === this.told) return;
    this.told = told;
    this.table = null;
    byId("facts").replaceChildren(...(item ? this.makeAll(item) : []));
  }

  makeAll(/** @type {Item} */ item) {
    const title = make("h2", { class: "title" }, make("bdi", { text: item.name }));
    if (item.phase === "done") return [title, ...this.makeResult(item)];
    if (item.phase === "failed") return [title, this.makeFailure(item)];
    const [kind, text] = describe(item);
    const cancel = this.button("cancel", "Cancel", () => this.acts.cancel(item));
    const shape = item.phase === "sending" ? "Sending …" : text;
    return [title, make("p", { class: "class-cell" }, icon(kind), shape), make("p", { class: "buttons" }, cancel)];
  }

  makeResult(/** @type {Item} */ item) {
    const { result } = item;
    const word = result.verdict[0].toUpperCase() + result.verdict.slice(1);
    const badge = make("p", { class: `badge verdict-${result.verdict}`, id: "verdict" }, icon(result.verdict), word);
    const saves = make("p", { class: "buttons" },
      this.button("save", "JSON", () => this.acts.saveJson(item)),
      this.button("save", "Overlay PNG", () => this.acts.saveOverlay(item)),
      this.button("save", "Mask PNG", () => this.acts.saveMask(item)),
      this.button("remove", "Remove", () => this.acts.remove(item)));
    return [
      make("div", { class: "block" }, make("p", {}, badge), make("p", { class: "soft", text: explain(result, this.state.model) })),
      ...this.makeDefects(result), saves, makeTimes(result.timings_ms, item.roundTripMs), this.makeFacts(item),
    ];
  }

  makeDefects(/** @type {any} */ result) {
    if (!result.defects.length) return [];
    this.table = new DefectTable(result, this.state.model?.classes ?? [], (number) => this.acts.mark(number));
    return [make("div", { class: "block" }, make("h3", { text: plural(result.defects.length, "defect") }), this.table.element)];
  }

  makeFacts(/** @type {Item} */ item) {
    const { result } = item;
    const name = this.state.model?.sha256 === result.model.sha256 ? `${this.state.model.name} ` : "";
    return pairs([
      ["Picture", `${result.width} × ${result.height} px, ${bytes(item.file.size)}`],
      ["Model", `${name}${result.model.version} · ${result.model.sha256.slice(0, 8)}`],
      ["Request", result.request_id],
    ]);
  }

  makeFailure(/** @type {Item} */ item) {
    const failure = /** @type {import("./api.js").ApiFailure} */ (item.failure);
    const advice = advise(failure.code);
    const buttons = [this.button("remove", "Remove", () => this.acts.remove(item))];
    if (canRetry(item)) buttons.unshift(this.button("retry", "Retry", () => this.acts.retry(item)));
    return make("div", { class: "failure", id: "failure" },
      make("p", { class: "class-cell verdict-failed" }, icon("failed"), make("b", { text: "No verdict" })),
      make("h2", { text: advice.title }), make("p", { text: advice.todo }),
      make("p", { class: "buttons" }, ...buttons),
      pairs([
        ["Code", failure.code], ["Service says", failure.message], ["Request", failure.requestId || "none"],
        ["File", bytes(item.file.size)], ["Attempts", String(item.attempts)],
      ]));
  }

  button(/** @type {string} */ shape, /** @type {string} */ text, /** @type {() => void} */ onclick) {
    return make("button", { type: "button", class: "button", onclick }, icon(shape), text);
  }
}

/** Why the verdict is as it is. */
export function explain(/** @type {any} */ result, /** @type {any} */ model) {
  const point = model?.sha256 === result.model.sha256 ? model.operating_point : null;
  if (!result.defects.length) return "No defect was found.";
  const highest = score(result.defects[0].score);
  if (!point) return `The surest defect has a score of ${highest}.`;
  if (result.verdict === "reject") return `The surest defect scores ${highest}; from ${score(point.reject)} on a picture is rejected.`;
  return `The surest defect scores ${highest}, below ${score(point.reject)} of a reject: look at the piece.`;
}

/** Names and values. */
export function pairs(/** @type {[string, string][]} */ rows) {
  return make("dl", { class: "pairs" }, ...rows.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", {}, make("bdi", { text }))]));
}

