// Results in, files to save out: JSON of one or all, the overlay as shown, the mask.

import { COLOURS } from "./colours.js";
import { save } from "./dom.js";
import { maskIndexes } from "./layers.js";
import { encodePng } from "./png.js";

/** @typedef {import("./state.js").Item} Item */

/** One result as the service told it. */
export function saveJson(/** @type {Item} */ item) {
  save(toJson(withoutHeat(item.result)), `${stem(item)}.json`);
}

/** All results and failures, as `POST /v1/analyze/batch` tells them. */
export function saveAll(/** @type {Item[]} */ items) {
  const results = items.filter((item) => item.result || item.failure).map((item) => {
    if (item.result) return { image_id: item.result.image_id, result: withoutHeat(item.result) };
    const { code, message, requestId, retryable } = /** @type {any} */ (item.failure);
    return { image_id: item.name, error: { code, message, request_id: requestId, retryable } };
  });
  save(toJson({ results }), "results.json");
}

/** Picture, heat, mask and boxes as they are switched on, at the picture's own pixels. */
export async function saveOverlay(/** @type {Item} */ item, /** @type {import("./viewer.js").Viewer} */ viewer) {
  const blob = await new Promise((resolve) => viewer.export().toBlob(resolve, "image/png"));
  if (blob) save(blob, `${stem(item)}_overlay.png`);
}

/** Pixel value k is class k, 0 is no defect. */
export async function saveMask(/** @type {Item} */ item, /** @type {string[]} */ classes) {
  const { result } = item;
  const palette = /** @type {[number, number, number][]} */ ([[0, 0, 0], ...classes.map((_, k) => COLOURS[k % COLOURS.length])]);
  if (classes.length === 0) palette.push(COLOURS[0]);
  save(await encodePng(maskIndexes(result, classes), result.width, result.height, palette), `${stem(item)}_mask.png`);
}

function withoutHeat(/** @type {any} */ { heat_png, ...result }) {
  return result;
}

function toJson(/** @type {any} */ content) {
  return new Blob([JSON.stringify(content, null, 2), "\n"], { type: "application/json" });
}

/** A file name of the picture's, without folders and ending. */
function stem(/** @type {Item} */ item) {
  const name = /** @type {string} */ (item.name.split("/").pop());
  return name.replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|\uFFFD]/g, "_") || "picture";
}
