// Where a picture lies on its canvas: scale and offset, as plain values; nothing is drawn here.

export const MOST_ZOOM = 64; // canvas pixels of one picture pixel
const MARGIN = 0.04; // of the canvas, left free around a fitted picture
const ROOM = 3; // a defect that is zoomed to takes up at most 1 / ROOM of the canvas
const LEAST_ROOM = 48; // picture pixels shown around a speck

/**
 * @typedef {object} View
 * @property {number} scale canvas pixels of one picture pixel
 * @property {number} left where the picture's left edge lies, canvas pixels
 * @property {number} top
 */

/** @typedef {{width: number, height: number}} Size */

/** The whole picture, in the middle. @returns {View} */
export function fit(/** @type {Size} */ picture, /** @type {Size} */ canvas) {
  const room = 1 - MARGIN;
  const scale = Math.min((canvas.width * room) / picture.width, (canvas.height * room) / picture.height, MOST_ZOOM);
  return centre(scale, picture.width / 2, picture.height / 2, canvas);
}

/** A place of the picture in the middle of the canvas. @returns {View} */
export function centre(/** @type {number} */ scale, /** @type {number} */ x, /** @type {number} */ y, /** @type {Size} */ canvas) {
  return { scale, left: canvas.width / 2 - x * scale, top: canvas.height / 2 - y * scale };
}

/** Zoom so that the place under a canvas pixel stays there. @returns {View} */
export function zoomAt(/** @type {View} */ view, /** @type {number} */ factor, /** @type {{x: number, y: number}} */ at, /** @type {number} */ least) {
  const scale = Math.min(Math.max(view.scale * factor, Math.min(least, 1)), MOST_ZOOM);
  const by = scale / view.scale;
  return { scale, left: at.x - (at.x - view.left) * by, top: at.y - (at.y - view.top) * by };
}

/** A defect with its surroundings. @returns {View} */
export function showBox(/** @type {number[]} */ [x1, y1, x2, y2], /** @type {Size} */ picture, /** @type {Size} */ canvas) {
  const width = Math.max((x2 - x1) * ROOM, LEAST_ROOM);
  const height = Math.max((y2 - y1) * ROOM, LEAST_ROOM);
  const whole = fit(picture, canvas).scale;
  const scale = Math.min(Math.max(Math.min(canvas.width / width, canvas.height / height), whole), MOST_ZOOM);
  return keepInside(centre(scale, (x1 + x2) / 2, (y1 + y2) / 2, canvas), picture, canvas);
}

/** Never lose the picture: its middle part stays on the canvas. @returns {View} */
export function keepInside(/** @type {View} */ { scale, left, top }, /** @type {Size} */ picture, /** @type {Size} */ canvas) {
  return {
    scale,
    left: keepEdge(left, picture.width * scale, canvas.width),
    top: keepEdge(top, picture.height * scale, canvas.height),
  };
}

function keepEdge(/** @type {number} */ start, /** @type {number} */ length, /** @type {number} */ room) {
  if (length <= room) return (room - length) / 2;
  return Math.min(Math.max(start, room / 2 - length), room / 2);
}
