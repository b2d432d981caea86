// Waiting pictures in, results and failures out: a few at once, again where it may help.

import { analyze, ApiFailure } from "./api.js";
import { shortId } from "./text.js";

export const AT_ONCE = 3; // uploads, where the service has so many places
const GROW_AFTER = 20; // successes in a row: then one more at once is tried, later and later
const TRIES = 3; // of a picture whose failure is the picture's own affair
const TRIES_BUSY = 8; // where the whole service is busy or stopping
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const OF_THE_SERVICE = new Set(["QUEUE_FULL", "DRAINING", "NOT_READY", "NETWORK", "TIMEOUT"]);

/** @typedef {import("./state.js").Item} Item */

export class Queue extends EventTarget {
  constructor(/** @type {import("./state.js").State} */ state) {
    super();
    this.state = state;
    /** @type {Map<number, AbortController>} of what is being sent */
    this.running = new Map();
    /** @type {Item[]} */
    this.waiting = [];
    this.heldUntil = 0; // performance.now(): nothing is sent before
    this.places = AT_ONCE; // fewer where the service was full
    this.growAfter = GROW_AFTER;
    this.successes = 0; // since the last change of places
    this.isStopped = false; // the service cannot be reached: `resume` goes on
    this.timer = 0;
  }

  /** Send these when there is a place. */
  push(/** @type {Item[]} */ items) {
    this.waiting.push(...items);
    this.pump();
  }

  /** Take these out, wherever they are. */
  cancel(/** @type {Item[]} */ items) {
    const ids = new Set(items.map((item) => item.id));
    this.waiting = this.waiting.filter((item) => !ids.has(item.id));
    for (const item of items) {
      if (this.running.has(item.id)) this.running.get(item.id)?.abort();
      else if (item.phase === "waiting" || item.phase === "holding") this.fail(item, new ApiFailure("CANCELLED", "cancelled on this page"));
    }
    this.pump();
  }

  /** Send failed ones once more. */
  retry(/** @type {Item[]} */ items) {
    for (const item of items) this.state.change(item, { phase: "waiting", attempts: 0, failure: null, progress: 0 });
    this.push(items);
    this.resume();
  }

  /** Go on at once: the service answers again, or a person says so. */
  resume() {
    this.heldUntil = 0;
    this.isStopped = false;
    this.pump();
  }

  /** Nothing is in the way. */
  get isFree() {
    return !this.isStopped && this.heldUntil <= performance.now();
  }

  /** Fill the free places. */
  pump() {
    clearTimeout(this.timer);
    const wait = this.heldUntil - performance.now();
    if (wait > 0) this.timer = setTimeout(() => this.pump(), wait);
    while (wait <= 0 && !this.isStopped && this.running.size < this.places && this.waiting.length) {
      this.send(/** @type {Item} */ (this.waiting.shift()));
    }
    this.dispatchEvent(new Event("change"));
  }

  /** One attempt. */
  async send(/** @type {Item} */ item) {
    const control = new AbortController();
    this.running.set(item.id, control);
    this.state.change(item, { phase: "sending", progress: 0, attempts: item.attempts + 1 });
    const start = performance.now();
    const onProgress = (/** @type {number} */ part) => this.state.change(item, { progress: part, phase: part < 1 ? "sending" : "working" });
    try {
      const result = await analyze(item.file, { name: shortId(item.name), signal: control.signal, onProgress });
      this.running.delete(item.id);
      this.grow();
      this.state.change(item, { phase: "done", result, failure: null, roundTripMs: performance.now() - start });
      this.dispatchEvent(new CustomEvent("done", { detail: item }));
    } catch (error) {
      this.running.delete(item.id);
      this.judge(item, error instanceof ApiFailure ? error : new ApiFailure("BAD_REPLY", String(error)));
    }
    this.pump();
  }

  /** After a while without trouble one more at once is tried. */
  grow() {
    this.successes += 1;
    if (this.successes < this.growAfter || this.places === AT_ONCE) return;
    this.places += 1;
    this.successes = 0;
  }

  /** The service is full: half as many at once, and longer until more are tried. */
  shrink() {
    this.places = Math.max(1, Math.floor(this.places / 2));
    this.growAfter *= 2;
    this.successes = 0;
  }

  /** Try again later, or give up. */
  judge(/** @type {Item} */ item, /** @type {ApiFailure} */ failure) {
    const ofService = OF_THE_SERVICE.has(failure.code);
    if (!failure.retryable || item.attempts >= (ofService ? TRIES_BUSY : TRIES)) {
      this.fail(item, failure);
      return;
    }
    const wait = backoff(item.attempts, failure.retryAfterS);
    this.state.change(item, { phase: "holding", failure, progress: 0 });
    this.waiting.unshift(item);
    this.heldUntil = Math.max(this.heldUntil, performance.now() + wait);
    if (failure.code === "NETWORK" && item.attempts >= TRIES) this.isStopped = true;
    if (failure.code === "QUEUE_FULL") this.shrink();
    if (ofService) this.dispatchEvent(new CustomEvent("trouble", { detail: failure }));
  }

  fail(/** @type {Item} */ item, /** @type {ApiFailure} */ failure) {
    this.state.change(item, { phase: "failed", failure });
    this.dispatchEvent(new CustomEvent("done", { detail: item }));
  }
}

/**
 * How long to wait before the next attempt, ms: at least what the service asks for, doubled each
 * time, with up to a half more by chance so that many pages do not come back together.
 */
export function backoff(/** @type {number} */ attempts, /** @type {number} */ retryAfterS, chance = Math.random()) {
  const doubled = Math.min(FIRST_WAIT_MS * 2 ** (attempts - 1), LONGEST_WAIT_MS);
  return Math.max(doubled, retryAfterS * 1000) * (1 + chance / 2);
}
