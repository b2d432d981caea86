// What happened in, what a screen reader says out: at most once in a while, many in one sentence.

import { byId } from "./dom.js";
import { describe } from "./list.js";
import { outcome } from "./state.js";

const EVERY_MS = 1500;

export class Announcer {
  constructor(/** @type {import("./state.js").State} */ state) {
    this.state = state;
    /** @type {import("./state.js").Item[]} */
    this.settled = [];
    this.timer = 0;
  }

  /** Say one thing at once. */
  say(/** @type {string} */ text) {
    byId("live").textContent = text;
  }

  /** Say what became of a picture, soon. */
  settle(/** @type {import("./state.js").Item} */ item) {
    this.settled.push(item);
    this.timer ||= setTimeout(() => this.flush(), EVERY_MS);
  }

  flush() {
    this.timer = 0;
    const items = this.settled.splice(0);
    if (items.length === 1) {
      this.say(`${items[0].name}: ${describe(items[0])[1]}`);
      return;
    }
    const count = (/** @type {string} */ name) => items.filter((item) => outcome(item) === name).length;
    const parts = ["reject", "review", "accept", "failed"].filter((name) => count(name)).map((name) => `${count(name)} ${name}`);
    this.say(`${items.length} more pictures done: ${parts.join(", ")}`);
  }
}
