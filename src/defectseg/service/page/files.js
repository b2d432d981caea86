// A drop, a choice or a paste in, files with their paths out; folders are walked.

const PICTURE = /\.(jpe?g|png|bmp|tiff?|webp)$/i;
const MOST = 5000; // files of one drop: more would be a slip of the hand

/** @typedef {{file: File, path: string}} Found */

/**
 * The files of a drop. Inside folders only pictures are taken; what is dropped by itself always.
 *
 * @returns {Promise<{found: Found[], left: number}>} left = how many were passed over
 */
export async function fromDrop(/** @type {DataTransfer} */ transfer) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()); // at once: later they are gone
  const walk = { found: /** @type {Found[]} */ ([]), left: 0 };
  for (const entry of entries) {
    if (entry instanceof File) take(walk, entry, entry.name);
    else if (entry?.isFile) await takeEntry(walk, entry, entry.name);
    else if (entry) await walkFolder(walk, entry);
  }
  return walk;
}

/** The files of an <input type="file">. @returns {{found: Found[], left: number}} */
export function fromInput(/** @type {HTMLInputElement} */ input) {
  const walk = { found: /** @type {Found[]} */ ([]), left: 0 };
  for (const file of input.files ?? []) {
    const path = file.webkitRelativePath || file.name;
    if (file.webkitRelativePath && !PICTURE.test(file.name)) walk.left += 1;
    else take(walk, file, path);
  }
  walk.found.sort(byPath);
  input.value = ""; // the same file may be chosen again
  return walk;
}

/** The pictures of the clipboard. @returns {{found: Found[], left: number}} */
export function fromPaste(/** @type {DataTransfer | null} */ clipboard) {
  const files = [...(clipboard?.files ?? [])];
  return { found: files.map((file) => ({ file, path: file.name || "pasted picture" })), left: 0 };
}

async function walkFolder(/** @type {any} */ walk, /** @type {any} */ folder) {
  const reader = folder.createReader();
  const entries = [];
  for (let part = [0]; part.length; ) { // a browser gives at most 100 at once
    part = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    entries.push(...part);
  }
  entries.sort((a, b) => order(a.name, b.name));
  for (const entry of entries) {
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isDirectory) await walkFolder(walk, entry);
    else if (PICTURE.test(entry.name)) await takeEntry(walk, entry, path);
    else walk.left += 1;
  }
}

async function takeEntry(/** @type {any} */ walk, /** @type {any} */ entry, /** @type {string} */ path) {
  const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
  if (file) take(walk, file, path);
  else walk.left += 1;
}

function take(/** @type {any} */ walk, /** @type {File} */ file, /** @type {string} */ path) {
  if (walk.found.length < MOST) walk.found.push({ file, path });
  else walk.left += 1;
}

function byPath(/** @type {Found} */ a, /** @type {Found} */ b) {
  return order(a.path, b.path);
}

/** 9 before 10. */
function order(/** @type {string} */ a, /** @type {string} */ b) {
  return a.localeCompare(b, undefined, { numeric: true });
}
