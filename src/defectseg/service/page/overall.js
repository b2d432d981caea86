// All pictures together: how many are done, the filters by verdict, and what can be done to all.

import { byId, icon, make } from "./dom.js";
import { outcome } from "./state.js";

const FILTERS = /** @type {const} */ (["all", "reject", "review", "accept", "failed"]);
const SPEED_OVER = 20; // pictures: the time that is left is judged by the last so many

export class Overall {
  /**
   * @param {import("./state.js").State} state
   * @param {import("./queue.js").Queue} queue
   */
  constructor(state, queue) {
    this.state = state;
    this.queue = queue;
    /** @type {number[]} when the last pictures were done, ms */
    this.times = [];
    this.buttons = new Map(FILTERS.map((name) => [name, this.makeFilter(name)]));
    byId("filters").append(...this.buttons.values());
    state.addEventListener("items", () => this.render());
    queue.addEventListener("done", () => {
      this.times.push(performance.now());
      this.times.splice(0, this.times.length - SPEED_OVER);
    });
    byId("cancel-all").addEventListener("click", () => queue.cancel(state.items.filter((item) => !isSettled(item))));
    byId("retry-all").addEventListener("click", () => queue.retry(state.items.filter(canRetry)));
  }

  makeFilter(/** @type {typeof FILTERS[number]} */ name) {
    const word = name[0].toUpperCase() + name.slice(1);
    const shape = name === "all" ? [] : [icon(name)];
    const onclick = () => this.state.setFilter(this.state.filter === name ? "all" : name);
    const count = make("span", { class: "count" });
    return make("button", { type: "button", class: "button toggle", "data-filter": name, title: word, onclick }, ...shape, make("span", { class: name === "all" ? "" : "unseen", text: word }), count);
  }

  render() {
    const { items, filter } = this.state;
    const counts = { all: items.length, reject: 0, review: 0, accept: 0, failed: 0 };
    for (const item of items) {
      const is = outcome(item);
      if (is) counts[is] += 1;
    }
    for (const [name, button] of this.buttons) {
      button.querySelector(".count").textContent = String(counts[name]);
      button.setAttribute("aria-pressed", String(filter === name));
    }
    const settled = items.filter(isSettled).length;
    const left = items.length - settled;
    byId("overall-bar").value = items.length ? settled / items.length : 0;
    byId("overall-text").textContent = `${settled} of ${items.length} done${left ? this.timeLeft(left) : ""}`;
    byId("cancel-all").hidden = left === 0;
    byId("retry-all").hidden = !items.some(canRetry);
    byId("save-all").disabled = settled === 0;
    document.title = left ? `(${settled}/${items.length}) defectseg` : "defectseg";
  }

  timeLeft(/** @type {number} */ left) {
    const count = this.times.length;
    if (count < 3) return "";
    const seconds = (left * (this.times[count - 1] - this.times[0])) / (count - 1) / 1000;
    return seconds < 60 ? ` · about ${Math.ceil(seconds)} s left` : ` · about ${Math.ceil(seconds / 60)} min left`;
  }
}

export function isSettled(/** @type {import("./state.js").Item} */ item) {
  return item.phase === "done" || item.phase === "failed";
}

/** It failed in a way that another try may mend. */
export function canRetry(/** @type {import("./state.js").Item} */ item) {
  return item.phase === "failed" && (item.failure?.retryable === true || item.failure?.code === "CANCELLED");
}
