// Drops, choices and pastes anywhere on the page in, files out.

import { byId } from "./dom.js";
import { fromDrop, fromInput, fromPaste } from "./files.js";

/** Hand over every file that comes. */
export function listenToFiles(/** @type {(found: import("./files.js").Found[], left: number) => void} */ take) {
  const veil = byId("veil");
  let depth = 0; // a drag enters and leaves each element on its way
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault(); // else the browser would open the file
    depth = 0;
    veil.hidden = true;
    if (!event.dataTransfer) return;
    const { found, left } = await fromDrop(event.dataTransfer);
    take(found, left);
  });
  addEventListener("paste", (event) => {
    const { found, left } = fromPaste(event.clipboardData);
    if (found.length) take(found, left);
  });
  for (const kind of ["files", "folder"]) {
    const input = byId(`choose-${kind}`);
    input.addEventListener("change", () => {
      const { found, left } = fromInput(input);
      take(found, left);
    });
    for (const button of document.querySelectorAll(`[data-choose="${kind}"]`)) button.addEventListener("click", () => input.click());
  }
}
