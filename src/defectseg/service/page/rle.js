// COCO's compressed run lengths in, pixel runs and small bitmaps out.

const BITS = 5; // of a number that one character holds
const MAX_CHARACTERS = 7; // of one number: 35 bits
const OFFSET = 48; // "0"
const MORE = 32;
const SIGN = 16;

/**
 * The counts of a text: 5 bits a character, low bits first; from the fourth on differences.
 *
 * Counts alternate: so many pixels not drawn, drawn, not drawn, …, down the columns.
 * @param {string} text
 * @returns {number[]}
 * @throws {RangeError} the text is damaged
 */
export function decodeCounts(text) {
  const counts = [];
  let place = 0;
  while (place < text.length) {
    let value = 0;
    for (let k = 0, more = true; more; k++) {
      const bits = text.charCodeAt(place++) - OFFSET;
      if (!(bits >= 0 && bits < 64) || k === MAX_CHARACTERS) throw new RangeError("damaged run lengths");
      value += (bits & (MORE - 1)) * 2 ** (BITS * k); // not <<: beyond 31 bits it would wrap
      more = (bits & MORE) !== 0;
      if (!more && bits & SIGN) value -= 2 ** (BITS * (k + 1));
    }
    if (counts.length > 2) value += counts[counts.length - 2];
    if (value < 0) throw new RangeError("damaged run lengths");
    counts.push(value);
  }
  return counts;
}

/**
 * The drawn runs of a mask of H rows and W columns, down the columns.
 *
 * @param {{size: [number, number], counts: string}} rle size is H, W
 * @returns {{start: number, length: number}[]} start = x · H + y
 * @throws {RangeError} the counts do not fill the picture
 */
export function decodeRuns({ size, counts }) {
  const runs = [];
  let place = 0;
  decodeCounts(counts).forEach((length, number) => {
    if (number % 2 === 1 && length > 0) runs.push({ start: place, length });
    place += length;
  });
  if (place !== size[0] * size[1]) throw new RangeError("the run lengths are of another picture");
  return runs;
}

/**
 * The box that holds all runs.
 *
 * @returns {{left: number, top: number, width: number, height: number}} px; width 0 = no pixel
 */
export function boundRuns(/** @type {{start: number, length: number}[]} */ runs, /** @type {number} */ height) {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  for (const { start, length } of runs) {
    const end = start + length - 1;
    const [first, last] = [Math.floor(start / height), Math.floor(end / height)];
    left = Math.min(left, first);
    right = Math.max(right, last);
    top = Math.min(top, first === last ? start % height : 0);
    bottom = Math.max(bottom, first === last ? end % height : height - 1);
  }
  if (right < 0) return { left: 0, top: 0, width: 0, height: 0 };
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * Set the pixels of the runs in a row-by-row window of the picture.
 *
 * @template {Uint8Array | Uint32Array} T
 * @param {T} pixels width · height of the window, row by row
 * @param {{left: number, top: number, width: number}} window where the window lies
 * @param {{start: number, length: number}[]} runs all inside the window
 * @param {number} height H of the whole picture
 * @param {number} value
 */
export function paintRuns(pixels, window, runs, height, value) {
  for (const { start, length } of runs) {
    let x = Math.floor(start / height);
    let y = start % height;
    for (let k = 0; k < length; k++) {
      pixels[(y - window.top) * window.width + (x - window.left)] = value;
      if (++y === height) {
        y = 0;
        x += 1;
      }
    }
  }
}
