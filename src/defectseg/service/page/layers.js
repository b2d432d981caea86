// A result in, bitmaps of its mask and heat and the drawing of its boxes out.

import { colourOf, heatColour, inkOn, toCss, toPixel } from "./colours.js";
import { boundRuns, decodeRuns, paintRuns } from "./rle.js";

const LABEL_PX = 12; // CSS pixels
const MOST_LABELS = 60; // beyond, numbers would cover the picture

/**
 * @typedef {object} Layer
 * @property {HTMLCanvasElement} canvas one pixel a picture pixel
 * @property {number} left where it lies in the picture, px
 * @property {number} top
 */

/** The class number k = 1, 2, … of a name; beyond the known ones in order of appearance. */
export function classNumber(/** @type {string} */ name, /** @type {string[]} */ classes) {
  const place = classes.indexOf(name);
  return place >= 0 ? place + 1 : classes.length + 1;
}

/**
 * Every class in its colour, opaque, in the box that holds all of them.
 *
 * @param {any} result as POST /v1/analyze told it
 * @param {string[]} classes of the model
 * @returns {Layer | null} null where there is no defect
 */
export function drawMask(result, classes) {
  const parts = Object.entries(result.mask).map(([name, rle]) => ({ k: classNumber(name, classes), runs: decodeRuns(rle) }));
  const box = boundRuns(parts.flatMap((part) => part.runs), result.height);
  if (!box.width) return null;
  const image = new ImageData(box.width, box.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (const { k, runs } of parts) paintRuns(pixels, box, runs, result.height, toPixel(colourOf(k)));
  const canvas = canvasOf(box.width, box.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { canvas, left: box.left, top: box.top };
}

/** Mask values 0 = no defect, k = class k: (H, W) row by row. @returns {Uint8Array} */
export function maskIndexes(/** @type {any} */ result, /** @type {string[]} */ classes) {
  const pixels = new Uint8Array(result.width * result.height);
  const whole = { left: 0, top: 0, width: result.width };
  for (const [name, rle] of Object.entries(result.mask)) {
    paintRuns(pixels, whole, decodeRuns(rle), result.height, classNumber(name, classes));
  }
  return pixels;
}

/** A grey PNG of the probability of a defect → its colours. @returns {Promise<HTMLCanvasElement>} */
export async function drawHeat(/** @type {string} */ base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = canvasOf(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let k = 0; k < image.data.length; k += 4) image.data.set(heatColour(image.data[k]), k);
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Draw the boxes, above all else; the marked one with a second line around it.
 *
 * @param {CanvasRenderingContext2D} context in canvas pixels
 * @param {any} result
 * @param {string[]} classes
 * @param {{view: import("./geometry.js").View, marked: number | null, ratio: number}} how
 *   ratio = canvas pixels of a CSS pixel
 */
export function drawBoxes(context, result, classes, { view, marked, ratio }) {
  const order = result.defects.map((_, number) => number);
  if (marked !== null) order.push(order.splice(marked, 1)[0]);
  const labels = [];
  for (const number of order) {
    const { box: [x1, y1, x2, y2], defect_class: name } = result.defects[number];
    const colour = colourOf(classNumber(name, classes));
    const line = (number === marked ? 3 : 2) * ratio;
    const rect = [
      view.left + x1 * view.scale - line / 2, view.top + y1 * view.scale - line / 2,
      (x2 - x1) * view.scale + line, (y2 - y1) * view.scale + line,
    ];
    stroke(context, rect, "rgb(0 0 0 / 0.75)", line + 2 * ratio);
    if (number === marked) stroke(context, rect.map((v, k) => v + [-4, -4, 8, 8][k] * ratio), "#fff", 2 * ratio);
    stroke(context, rect, toCss(colour), line);
    if (number === marked || result.defects.length <= MOST_LABELS) {
      labels.push(() => drawLabel(context, `${number + 1}`, rect, colour, ratio));
    }
  }
  for (const label of labels) label(); // above all boxes
}

function stroke(/** @type {CanvasRenderingContext2D} */ context, /** @type {number[]} */ rect, /** @type {string} */ style, /** @type {number} */ line) {
  context.strokeStyle = style;
  context.lineWidth = line;
  context.strokeRect(rect[0], rect[1], rect[2], rect[3]);
}

function drawLabel(/** @type {CanvasRenderingContext2D} */ context, /** @type {string} */ text, /** @type {number[]} */ [x, y], /** @type {[number, number, number]} */ colour, /** @type {number} */ ratio) {
  const size = LABEL_PX * ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const width = context.measureText(text).width + size * 0.6;
  const height = size * 1.3;
  const top = y - height < 0 ? y : y - height;
  context.fillStyle = toCss(colour);
  context.fillRect(x - ratio, top, width, height);
  context.fillStyle = inkOn(colour);
  context.textBaseline = "middle";
  context.fillText(text, x - ratio + size * 0.3, top + height * 0.54);
}

/** An empty canvas that is not on the page. @returns {HTMLCanvasElement} */
export function canvasOf(/** @type {number} */ width, /** @type {number} */ height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}
