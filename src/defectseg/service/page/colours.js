// The colours of the classes: Okabe and Ito's palette, the same as in overlay.py.

export const COLOURS = /** @type {[number, number, number][]} */ ([
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [240, 228, 66],
  [213, 94, 0],
  [204, 121, 167],
]);

/** The colour of the class k = 1, 2, … of the model. @returns {[number, number, number]} */
export function colourOf(/** @type {number} */ k) {
  return COLOURS[(k - 1) % COLOURS.length];
}

/** For CSS and canvas. */
export function toCss(/** @type {[number, number, number]} */ [r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

/** One pixel of a canvas as its four bytes lie in memory (little-endian), opaque. */
export function toPixel(/** @type {[number, number, number]} */ [r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Black or white: what can be read on a colour. */
export function inkOn(/** @type {[number, number, number]} */ [r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b > 110 ? "#000" : "#fff";
}

/** How likely a defect is → a colour: nothing, then yellow to red. @returns {[number, number, number, number]} */
export function heatColour(/** @type {number} */ level) {
  const p = level / 255;
  return [255, Math.round(230 * (1 - p)), Math.round(60 * (1 - p) ** 2), Math.round(255 * Math.min(1, p * 1.6))];
}
