// Mask values in, a PNG with a palette out: pixel value k is class k, 0 is no defect.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const PALETTE = 3; // the colour type whose pixels are indexes

/**
 * Encode class indexes; the file is read back exactly.
 *
 * @param {Uint8Array} pixels (H, W) row by row
 * @param {number} width
 * @param {number} height
 * @param {[number, number, number][]} colours of the values 0, 1, …
 * @returns {Promise<Blob>}
 */
export async function encodePng(pixels, width, height, colours) {
  const rows = new Uint8Array((width + 1) * height); // each row starts with its filter: 0 = none
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, PALETTE, 0, 0, 0], 8);
  return new Blob([
    new Uint8Array(SIGNATURE),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(colours.flat())),
    chunk("IDAT", new Uint8Array(await new Response(packed).arrayBuffer())),
    chunk("IEND", new Uint8Array()),
  ], { type: "image/png" });
}

/** Length, name, content and checksum. @returns {Uint8Array} */
function chunk(/** @type {string} */ name, /** @type {Uint8Array} */ content) {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, checksum(bytes.subarray(4, content.length + 8)));
  return bytes;
}

/** CRC-32 as PNG wants it. */
function checksum(/** @type {Uint8Array} */ bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
