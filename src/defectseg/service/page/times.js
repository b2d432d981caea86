// The times of the stages in, a bar and a list out.

import { colourOf, toCss } from "./colours.js";
import { make } from "./dom.js";
import { duration } from "./text.js";

const REST = "rgb(140 146 156)"; // network and browser

/** How long each stage took; the rest of the round trip is the network and the browser. */
export function makeTimes(/** @type {Record<string, number>} */ timings, /** @type {number} */ roundTripMs) {
  const stages = Object.entries(timings).map(([name, ms], k) => ({ name, ms, colour: toCss(colourOf(k + 1)) }));
  const sum = stages.reduce((total, stage) => total + stage.ms, 0);
  if (roundTripMs > sum) stages.push({ name: "network", ms: roundTripMs - sum, colour: REST });
  const bar = make("div", { class: "stages", "aria-hidden": "true" });
  for (const { ms, colour } of stages) {
    const part = make("i");
    part.style.flex = `${ms} 0 0`;
    part.style.background = colour;
    bar.append(part);
  }
  const list = make("ul", { class: "stage-list" }, ...stages.map(({ name, ms, colour }) => {
    const swatch = make("i", { class: "swatch" });
    swatch.style.background = colour;
    return make("li", {}, swatch, `${name} ${duration(ms)}`);
  }));
  return make("div", { class: "block", id: "times" }, make("h3", { text: `Times, ${duration(Math.max(sum, roundTripMs))} in all` }), bar, list);
}
