// Keys anywhere on the page in, what they do out; keys of one letter can be switched off.

import { byId, make } from "./dom.js";

/**
 * Listen, and write the help.
 *
 * @param {[string[], string][]} help keys as the browser names them, and what they do
 * @param {Record<string, () => void>} acts by key
 */
export function listenToKeys(help, acts) {
  byId("keys").append(...help.flatMap(([names, does]) => [
    make("dt", {}, ...names.flatMap((name) => [make("kbd", { text: spell(name) }), " "])),
    make("dd", { text: does }),
  ]));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) || byId("help").open || !byId("keys-on").checked) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(acts, key)) return;
    event.preventDefault();
    acts[key]();
  });
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
}

function isTyping(/** @type {any} */ target) {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && !["range", "checkbox", "file"].includes(target.type));
}

function spell(/** @type {string} */ name) {
  const words = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space" };
  return words[name] ?? (name.length === 1 ? name.toUpperCase() : name);
}
