// The pictures as a list of which only the visible rows exist; arrow keys move through it.

import { byId, icon, make } from "./dom.js";
import { advise } from "./errors.js";
import { outcome } from "./state.js";
import { plural, score } from "./text.js";

const ROW_PX = 54; // as in page.css
const MORE = 6; // rows beyond the edges

/** @typedef {import("./state.js").Item} Item */

export class List {
  /**
   * @param {import("./state.js").State} state
   * @param {{open: () => void, remove: (item: Item) => void}} acts what Enter and Delete do
   */
  constructor(state, acts) {
    this.state = state;
    this.acts = acts;
    this.frame = byId("list");
    this.space = byId("list-space");
    /** @type {Map<number, {row: HTMLElement, told: string}>} */
    this.rows = new Map();
    this.frame.addEventListener("scroll", () => this.render(), { passive: true });
    this.frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.press(event));
    this.space.addEventListener("click", (/** @type {MouseEvent} */ event) => this.click(event));
    new ResizeObserver(() => this.render()).observe(this.frame);
    state.addEventListener("items", () => this.render());
    this.lastSelected = /** @type {number | null} */ (null);
  }

  render() {
    const shown = this.state.shown;
    this.space.style.height = `${shown.length * ROW_PX}px`;
    byId("list-empty").hidden = shown.length > 0;
    this.frame.hidden = shown.length === 0;
    this.reveal(shown);
    const first = Math.max(0, Math.floor(this.frame.scrollTop / ROW_PX) - MORE);
    const last = Math.min(shown.length, Math.ceil((this.frame.scrollTop + this.frame.clientHeight) / ROW_PX) + MORE);
    const wanted = new Set(shown.slice(first, last).map((item) => item.id));
    for (const [id, { row }] of this.rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (let place = first; place < last; place++) this.renderRow(shown[place], place, shown.length);
    const active = this.state.selectedId;
    if (active !== null && wanted.has(active)) this.frame.setAttribute("aria-activedescendant", `row-${active}`);
    else this.frame.removeAttribute("aria-activedescendant");
  }

  /** Scroll to the row that has just been selected. */
  reveal(/** @type {Item[]} */ shown) {
    if (this.state.selectedId === this.lastSelected) return;
    this.lastSelected = this.state.selectedId;
    const place = shown.findIndex((item) => item.id === this.lastSelected);
    if (place < 0) return;
    const { scrollTop, clientHeight } = this.frame;
    if (place * ROW_PX < scrollTop) this.frame.scrollTop = place * ROW_PX;
    else if ((place + 1) * ROW_PX > scrollTop + clientHeight) this.frame.scrollTop = (place + 1) * ROW_PX - clientHeight;
  }

  renderRow(/** @type {Item} */ item, /** @type {number} */ place, /** @type {number} */ count) {
    const [kind, text] = describe(item);
    const isSelected = item.id === this.state.selectedId;
    const progress = item.phase === "sending" ? item.progress.toFixed(2) : "";
    const told = [place, count, kind, text, isSelected, progress].join("|");
    const known = this.rows.get(item.id);
    if (known?.told === told) return;
    const row = known?.row ?? make("div", { class: "row", role: "option", id: `row-${item.id}`, title: item.name });
    row.setAttribute("aria-selected", String(isSelected));
    row.setAttribute("aria-posinset", String(place + 1));
    row.setAttribute("aria-setsize", String(count));
    row.style.transform = `translateY(${place * ROW_PX}px)`;
    row.replaceChildren(icon(kind), make("bdi", { class: "row-name", text: item.name }), make("span", { class: "row-text", text }));
    if (progress) {
      const bar = make("i", { class: "row-bar" });
      bar.style.transform = `scaleX(${progress})`;
      row.append(bar);
    }
    if (!known) this.space.append(row);
    this.rows.set(item.id, { row, told });
  }

  click(/** @type {MouseEvent} */ event) {
    const row = /** @type {HTMLElement} */ (event.target).closest(".row");
    if (row) this.state.select(Number(row.id.slice("row-".length)));
  }

  press(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.frame.clientHeight / ROW_PX) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const { selected } = this.state;
    if (Object.hasOwn(steps, event.key)) this.state.step(steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.acts.open();
    else if (event.key === "Delete" && selected) this.acts.remove(selected);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** The shape and the words of a row. @returns {[string, string]} */
export function describe(/** @type {Item} */ item) {
  if (item.phase === "done") return [/** @type {string} */ (outcome(item)), describeResult(item.result)];
  if (item.phase === "failed") return ["failed", advise(item.failure?.code ?? "").title];
  if (item.phase === "holding") return ["holding", `Again soon: ${advise(item.failure?.code ?? "").title.toLowerCase()}`];
  if (item.phase === "sending") return ["sending", `Sending ${Math.round(item.progress * 100)} %`];
  return item.phase === "working" ? ["working", "Looking at it …"] : ["waiting", "Waiting"];
}

/** Reject · 3 defects · 0.93. */
export function describeResult(/** @type {any} */ result) {
  const word = result.verdict[0].toUpperCase() + result.verdict.slice(1);
  if (!result.defects.length) return `${word} · no defect`;
  return `${word} · ${plural(result.defects.length, "defect")} · ${score(result.defects[0].score)}`;
}
