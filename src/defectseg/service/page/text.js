// Values in, short texts for people out; file names made harmless.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu; // control characters and marks that turn text round
const LONGEST_ID = 200; // characters of a name that is sent

/** A file name without characters that cannot be seen. */
export function printable(/** @type {string} */ name) {
  return name.replace(UNSEEN, "\uFFFD") || "(no name)";
}

/** The end of a long name: the file, not its folders. */
export function shortId(/** @type {string} */ name) {
  return [...name].slice(-LONGEST_ID).join("");
}

/** 3.2 MiB. */
export function bytes(/** @type {number} */ count) {
  if (count < 1024) return `${count} bytes`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(0)} KiB`;
  return `${Number((count / 1024 ** 2).toFixed(1))} MiB`;
}

/** 12.3 ms, 1.23 s. */
export function duration(/** @type {number} */ ms) {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

/** A share as percent, small ones with more digits. */
export function percent(/** @type {number} */ fraction) {
  const value = fraction * 100;
  return `${value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2)} %`;
}

/** 0.93; more digits where two would say 0 or 1. */
export function score(/** @type {number} */ value) {
  const texts = [2, 3, 4].map((digits) => value.toFixed(digits));
  return texts.find((text) => Number(text) % 1) ?? texts[0];
}

/** 1 defect, 2 defects. */
export function plural(/** @type {number} */ count, /** @type {string} */ noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** 12 345. */
export function whole(/** @type {number} */ count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202F");
}
