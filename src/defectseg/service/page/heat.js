// The probabilities of the shown picture, asked for when they are first looked at.

import { analyze } from "./api.js";
import { backoff } from "./queue.js";
import { shortId } from "./text.js";

const KEPT = 30; // pictures
const TRIES = 4;

export class Heat {
  constructor() {
    /** @type {import("./state.js").Item[]} that have theirs, the last one last */
    this.kept = [];
    this.control = new AbortController();
  }

  /**
   * Send the picture once more, with `heat=true`; what is asked for another picture is dropped.
   *
   * @returns {Promise<string>} base64 of a PNG
   * @throws {import("./api.js").ApiFailure}
   */
  async of(/** @type {import("./state.js").Item} */ item) {
    this.control.abort();
    if (item.heat) return item.heat;
    this.control = new AbortController();
    const { signal } = this.control;
    item.heat = await this.load(item, signal);
    this.kept.push(item);
    if (this.kept.length > KEPT) /** @type {any} */ (this.kept.shift()).heat = null;
    return item.heat;
  }

  async load(/** @type {import("./state.js").Item} */ item, /** @type {AbortSignal} */ signal) {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await analyze(item.file, { name: shortId(item.name), heat: true, signal })).heat_png;
      } catch (/** @type {any} */ failure) {
        if (!failure.retryable || attempt === TRIES || signal.aborted) throw failure;
        await new Promise((resolve) => setTimeout(resolve, backoff(attempt, failure.retryAfterS)));
      }
    }
  }
}
