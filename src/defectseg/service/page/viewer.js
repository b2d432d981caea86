// The shown picture and its result in, a canvas out: ground, picture, heat, mask, boxes.

import { canvasOf, drawBoxes, drawHeat, drawMask } from "./layers.js";
import { centre, fit, keepInside, showBox, zoomAt } from "./geometry.js";

const NO_PICTURE = "#8a8d91"; // the ground where the browser cannot show the picture

/**
 * @typedef {object} Layers
 * @property {boolean} mask
 * @property {boolean} boxes
 * @property {boolean} heat
 * @property {number} opacity of mask and heat, in 0..1
 */

export class Viewer extends EventTarget {
  constructor(/** @type {HTMLCanvasElement} */ canvas) {
    super();
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Layers} */
    this.layers = { mask: true, boxes: true, heat: false, opacity: 0.55 };
    /** @type {import("./geometry.js").View} */
    this.view = { scale: 1, left: 0, top: 0 };
    this.isFitted = true;
    this.frame = 0;
    /** @type {any} of the picture shown, as POST /v1/analyze told it */
    this.result = null;
    /** @type {number | null} the place of the defect that is marked */
    this.marked = null;
    this.turn = 0; // counts the pictures shown: a late decode of an earlier one is dropped
    this.clear();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** Show nothing. */
  clear() {
    this.turn += 1;
    this.bitmap?.close();
    /** @type {ImageBitmap | null} */
    this.bitmap = null;
    this.isUnshowable = false; // by this browser
    this.note = "";
    /** @type {string[]} */
    this.classes = [];
    this.setResult(null, []);
    this.isFitted = true;
  }

  /**
   * Show a file; the browser turns it upright by its EXIF, as the service does.
   *
   * @returns {Promise<void>} when it is decoded, or known that it cannot be
   */
  async open(/** @type {File} */ file) {
    this.clear();
    const turn = this.turn;
    let bitmap = null;
    try {
      bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      // TIFF, mostly; the result is shown on a plain ground
    }
    if (turn !== this.turn) return bitmap?.close();
    this.bitmap = bitmap;
    this.isUnshowable = bitmap === null;
    this.place();
  }

  /** Lay a result over the picture. */
  setResult(/** @type {any} */ result, /** @type {string[]} */ classes) {
    this.result = result;
    this.classes = classes;
    this.marked = null;
    /** @type {import("./layers.js").Layer | null} */
    this.mask = result ? drawMask(result, classes) : null;
    /** @type {HTMLCanvasElement | null} */
    this.heat = null;
    this.place();
  }

  /** Lay the probabilities over it. */
  async setHeat(/** @type {string} */ base64) {
    const turn = this.turn;
    const heat = await drawHeat(base64);
    if (turn !== this.turn) return;
    this.heat = heat;
    this.draw();
  }

  setLayers(/** @type {Partial<Layers>} */ layers) {
    Object.assign(this.layers, layers);
    this.draw();
  }

  /** The size of what is shown, px; null = nothing. @returns {import("./geometry.js").Size | null} */
  get size() {
    return this.result ?? this.bitmap;
  }

  /** The browser's picture lies as the result does. */
  get fits() {
    const { bitmap, result } = this;
    return !bitmap || !result || (bitmap.width === result.width && bitmap.height === result.height);
  }

  /** After another picture or result: fit it and tell whether it can be shown. */
  place() {
    this.note = "";
    if (this.isUnshowable) this.note = this.result ? "Browsers cannot show this kind of picture (TIFF, mostly): mask and boxes lie on grey." : "The browser cannot show this file.";
    else if (!this.fits) this.note = "This browser turns the picture another way than the service: mask and boxes lie on grey.";
    if (this.isFitted) this.fit();
    this.draw();
    this.dispatchEvent(new Event("note"));
  }

  fit() {
    if (!this.size) return;
    this.isFitted = true;
    this.look(fit(this.size, this.canvas));
  }

  /** One picture pixel = one pixel of the screen. */
  actual() {
    if (!this.size) return;
    const { width, height } = this.canvas;
    const x = (width / 2 - this.view.left) / this.view.scale;
    const y = (height / 2 - this.view.top) / this.view.scale;
    this.isFitted = false;
    this.look(keepInside(centre(1, x, y, this.canvas), this.size, this.canvas));
  }

  /** Zoom at a place of the canvas, by default its middle. */
  zoom(/** @type {number} */ factor, at = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    if (!this.size) return;
    this.isFitted = false;
    const least = fit(this.size, this.canvas).scale / 2;
    this.look(keepInside(zoomAt(this.view, factor, at, least), this.size, this.canvas));
  }

  /** Move the picture by canvas pixels. */
  pan(/** @type {number} */ x, /** @type {number} */ y) {
    if (!this.size) return;
    const { scale, left, top } = this.view;
    const view = keepInside({ scale, left: left + x, top: top + y }, this.size, this.canvas);
    if (Math.abs(view.left - left) + Math.abs(view.top - top) < 0.01) return; // it is all on the canvas
    this.isFitted = false;
    this.look(view);
  }

  /** Mark a defect and zoom to it; null = mark none. */
  mark(/** @type {number | null} */ number) {
    this.marked = number;
    if (number !== null && this.size) {
      this.isFitted = false;
      this.look(showBox(this.result.defects[number].box, this.size, this.canvas));
    }
    this.draw();
  }

  look(/** @type {import("./geometry.js").View} */ view) {
    this.view = view;
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (width === this.canvas.width && height === this.canvas.height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.isFitted) this.fit();
    this.paint();
  }

  /** Paint in the next frame. */
  draw() {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const { canvas, context, view, size } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    Object.assign(canvas.dataset, { scale: view.scale, left: view.left, top: view.top });
    if (!size) return;
    context.setTransform(view.scale, 0, 0, view.scale, view.left, view.top);
    this.paintLayers(context, size, view.scale >= 1);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (this.result && this.layers.boxes) {
      drawBoxes(context, this.result, this.classes, { view, marked: this.marked, ratio: devicePixelRatio || 1 });
    }
  }

  /** Everything below the boxes, in picture pixels; magnified pixels stay crisp. */
  paintLayers(/** @type {CanvasRenderingContext2D} */ context, /** @type {import("./geometry.js").Size} */ { width, height }, /** @type {boolean} */ isCrisp) {
    context.imageSmoothingEnabled = !isCrisp;
    context.imageSmoothingQuality = "high";
    context.fillStyle = NO_PICTURE;
    context.fillRect(0, 0, width, height);
    if (this.bitmap && this.fits) context.drawImage(this.bitmap, 0, 0, width, height);
    context.globalAlpha = this.layers.opacity;
    if (this.layers.heat && this.heat) {
      context.imageSmoothingEnabled = true; // it is coarser than the picture
      context.drawImage(this.heat, 0, 0, width, height);
      context.imageSmoothingEnabled = !isCrisp;
    }
    if (this.layers.mask && this.mask) context.drawImage(this.mask.canvas, this.mask.left, this.mask.top);
    context.globalAlpha = 1;
  }

  /** What is shown, whole and at its true pixels. @returns {HTMLCanvasElement} */
  export() {
    const size = /** @type {import("./geometry.js").Size} */ (this.size);
    const canvas = canvasOf(size.width, size.height);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.paintLayers(context, size, true);
    if (this.result && this.layers.boxes) {
      const view = { scale: 1, left: 0, top: 0 };
      drawBoxes(context, this.result, this.classes, { view, marked: null, ratio: 1 });
    }
    return canvas;
  }
}
