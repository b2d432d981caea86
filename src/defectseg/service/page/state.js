// All pictures of the page and which one is shown; tells listeners once a frame what changed.

import { printable } from "./text.js";

/**
 * @typedef {"waiting" | "sending" | "working" | "holding" | "done" | "failed"} Phase
 * waiting: for a place; sending: bytes go; working: the service has it all; holding: will be sent
 * again; done: there is a result; failed: there is a failure
 */

/**
 * @typedef {object} Item
 * @property {number} id counts up
 * @property {File} file a handle: its bytes stay on the disk
 * @property {string} name printable, with folders
 * @property {Phase} phase
 * @property {number} progress of the upload, in 0..1
 * @property {number} attempts so far
 * @property {any} result as POST /v1/analyze told it
 * @property {string | null} heat base64 of a PNG, once asked for
 * @property {import("./api.js").ApiFailure | null} failure
 * @property {number} roundTripMs from sending to the result
 */

/** @typedef {"all" | "reject" | "review" | "accept" | "failed"} Filter */

export class State extends EventTarget {
  constructor() {
    super();
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<number, Item>} */
    this.byId = new Map();
    /** @type {number | null} */
    this.selectedId = null;
    /** @type {Filter} */
    this.filter = "all";
    /** @type {any} as GET /v1/model told it */
    this.model = null;
    this.nextId = 1;
    /** @type {Set<string>} */
    this.pending = new Set();
  }

  /** The picture shown. @returns {Item | null} */
  get selected() {
    return this.selectedId === null ? null : (this.byId.get(this.selectedId) ?? null);
  }

  /** The items that the filter lets through. @returns {Item[]} */
  get shown() {
    return this.filter === "all" ? this.items : this.items.filter((item) => outcome(item) === this.filter);
  }

  /** Put files at the end. @returns {Item[]} */
  add(/** @type {{file: File, path: string}[]} */ files) {
    const added = files.map(({ file, path }) => /** @type {Item} */ ({
      id: this.nextId++, file, name: printable(path), phase: "waiting", progress: 0, attempts: 0,
      result: null, heat: null, failure: null, roundTripMs: 0,
    }));
    for (const item of added) {
      this.items.push(item);
      this.byId.set(item.id, item);
    }
    this.tell("items");
    if (this.selectedId === null && added.length) this.select(added[0].id);
    return added;
  }

  /** Forget some; the one after them is shown next. */
  remove(/** @type {Item[]} */ gone) {
    const ids = new Set(gone.map((item) => item.id));
    const place = this.shown.findIndex((item) => item.id === this.selectedId);
    const isShownGone = this.selectedId !== null && ids.has(this.selectedId);
    this.items = this.items.filter((item) => !ids.has(item.id));
    for (const id of ids) this.byId.delete(id);
    this.tell("items");
    if (!isShownGone) return;
    const left = this.shown;
    this.select(left.length ? left[Math.min(Math.max(place, 0), left.length - 1)].id : null);
  }

  /** Change one item and tell it. */
  change(/** @type {Item} */ item, /** @type {Partial<Item>} */ facts) {
    Object.assign(item, facts);
    if (!this.byId.has(item.id)) return; // removed meanwhile
    this.tell("items");
    if (item.id === this.selectedId && Object.keys(facts).some((key) => key !== "progress")) this.tell("selected");
  }

  select(/** @type {number | null} */ id) {
    if (id === this.selectedId) return;
    this.selectedId = id;
    this.tell("items");
    this.tell("selected");
  }

  /** Show the next picture of the list, or an earlier one for a negative step. */
  step(/** @type {number} */ by) {
    const shown = this.shown;
    if (!shown.length) return;
    const place = shown.findIndex((item) => item.id === this.selectedId);
    const next = place < 0 ? 0 : Math.min(Math.max(place + by, 0), shown.length - 1);
    this.select(shown[next].id);
  }

  setFilter(/** @type {Filter} */ filter) {
    this.filter = filter;
    this.tell("items");
  }

  setModel(/** @type {any} */ model) {
    this.model = model;
    this.tell("model");
    this.tell("selected");
  }

  /** Tell listeners in the next frame, however often it is said until then. */
  tell(/** @type {string} */ name) {
    if (this.pending.size === 0) schedule(() => {
      const names = [...this.pending];
      this.pending.clear();
      for (const each of names) this.dispatchEvent(new Event(each));
    });
    this.pending.add(name);
  }
}

/** What became of an item, as the filters name it. @returns {Filter | null} */
export function outcome(/** @type {Item} */ item) {
  if (item.phase === "failed") return "failed";
  return item.phase === "done" ? item.result.verdict : null;
}

/** Frames stop where the page is hidden; work must not. */
function schedule(/** @type {() => void} */ work) {
  if (document.hidden) setTimeout(work, 50);
  else requestAnimationFrame(work);
}
