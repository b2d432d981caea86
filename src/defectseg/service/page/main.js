// The page: puts the parts together.

import { Announcer } from "./announcer.js";
import { ApiFailure } from "./api.js";
import { colourOf, toCss } from "./colours.js";
import { Detail } from "./detail.js";
import { byId, make } from "./dom.js";
import { saveAll, saveJson, saveMask, saveOverlay } from "./downloads.js";
import { advise } from "./errors.js";
import { listen, zoomStep } from "./gestures.js";
import { Heat } from "./heat.js";
import { listenToFiles } from "./intake.js";
import { listenToKeys } from "./keys.js";
import { describe, describeResult, List } from "./list.js";
import { isSettled, Overall } from "./overall.js";
import { Queue } from "./queue.js";
import { ServiceState } from "./service_state.js";
import { State } from "./state.js";
import { bytes, percent, plural } from "./text.js";
import { Viewer } from "./viewer.js";

const FORM_BYTES = 2048; // of a request, beside the file

/** @typedef {import("./state.js").Item} Item */

const state = new State();
const queue = new Queue(state);
const viewer = new Viewer(byId("canvas"));
const heat = new Heat();
const announcer = new Announcer(state);
const service = new ServiceState(state);
const detail = new Detail(state, {
  mark: (number) => viewer.mark(number),
  retry: (item) => queue.retry([item]),
  cancel: (item) => queue.cancel([item]),
  remove: (item) => remove([item]),
  saveJson,
  saveOverlay: (item) => saveOverlay(item, viewer),
  saveMask: (item) => saveMask(item, classes()),
});
new List(state, { open: () => byId("canvas").focus(), remove: (item) => remove([item]) });
new Overall(state, queue);

const classes = () => state.model?.classes ?? [];

/** Files come: those that are too large for certain are not sent. */
function take(/** @type {import("./files.js").Found[]} */ found, /** @type {number} */ left) {
  const added = state.add(found);
  const most = state.model?.input.max_body_bytes ?? Infinity;
  const tooLarge = added.filter((item) => item.file.size + FORM_BYTES > most);
  for (const item of tooLarge) {
    queue.fail(item, new ApiFailure("PAYLOAD_TOO_LARGE", `not sent: the file has ${bytes(item.file.size)}, the service takes ${bytes(most)}`));
  }
  queue.push(added.filter((item) => !tooLarge.includes(item)));
  const passed = left ? `; ${plural(left, "other file")} left out` : "";
  announcer.say(`${plural(added.length, "picture")} added${passed}`);
  if (left) showNotice(`${plural(left, "file")} left out: no picture by the name, or more than 5000 at once.`);
}

function remove(/** @type {Item[]} */ items) {
  queue.cancel(items.filter((item) => !isSettled(item)));
  state.remove(items);
  requestAnimationFrame(() => requestAnimationFrame(keepFocus)); // when the page has followed
}

/** The element with the focus may have gone: go on where a person would. */
function keepFocus() {
  const focused = document.activeElement;
  if (focused && focused !== document.body && focused.checkVisibility()) return;
  if (state.items.length) byId("list").focus();
  else byId("choose-first").focus();
}

/** A picture or another result is to be shown. */
let shown = { id: /** @type {number | null} */ (null), result: null, classes: "" };
function show() {
  const item = state.selected;
  if (item?.id !== shown.id) {
    shown = { id: item?.id ?? null, result: null, classes: "" };
    if (item) viewer.open(item.file);
    else viewer.clear();
  }
  const names = classes().join();
  if (item && (item.result !== shown.result || names !== shown.classes)) {
    shown.result = item.result;
    shown.classes = names;
    viewer.setResult(item.result, classes());
    if (item.result) showHeat(item);
  }
  byId("canvas").setAttribute("aria-label", item ? `${item.name}: ${item.result ? describeResult(item.result) : describe(item)[1]}` : "No picture");
  showLegend(item);
}

/** Asked for only while it is looked at: it costs an inference and up to 200 KB a picture. */
async function showHeat(/** @type {Item} */ item) {
  if (!viewer.layers.heat || !item.result) return;
  try {
    const png = await heat.of(item);
    if (state.selected === item) await viewer.setHeat(png);
  } catch (/** @type {any} */ failure) {
    if (failure.code !== "CANCELLED") showNotice(`No heat for this picture: ${advise(failure.code).title.toLowerCase()}.`);
  }
}

function showLegend(/** @type {Item | null} */ item) {
  byId("legend").replaceChildren(...classes().map((name, place) => {
    const count = item?.result?.defects.filter((defect) => defect.defect_class === name).length ?? 0;
    const swatch = make("i", { class: "swatch" });
    swatch.style.background = toCss(colourOf(place + 1));
    return make("li", { class: count ? "is-found" : "" }, swatch, make("bdi", { text: name }), count ? ` ${count}` : "");
  }));
}

/** What is not about one picture; a person closes it. */
function showNotice(/** @type {string} */ text) {
  byId("notice-text").textContent = text;
  byId("notice").hidden = !text;
}

/** The queue waits; it goes away by itself. */
function showTrouble(/** @type {string} */ code) {
  byId("banner-text").textContent = code ? `${advise(code).title}: the page tries again by itself.` : "";
  byId("banner").hidden = !code;
}

function toggle(/** @type {"mask" | "boxes" | "heat"} */ name) {
  const on = !viewer.layers[name];
  viewer.setLayers({ [name]: on });
  byId(`show-${name}`).setAttribute("aria-pressed", String(on));
  if (name === "heat" && state.selected) showHeat(state.selected);
}

function setOpacity(/** @type {number} */ value) {
  const whole = Math.min(100, Math.max(0, value));
  byId("opacity").value = String(whole);
  byId("opacity-value").textContent = `${whole} %`;
  viewer.setLayers({ opacity: whole / 100 });
}

/** Next or previous defect of the picture. */
function stepDefect(/** @type {number} */ by) {
  const count = state.selected?.result?.defects.length ?? 0;
  if (!count) return;
  const next = viewer.marked === null ? (by > 0 ? 0 : count - 1) : (viewer.marked + by + count) % count;
  viewer.mark(next);
  detail.table?.setMarked(next);
}

state.addEventListener("selected", show);
state.addEventListener("items", () => {
  const isEmpty = state.items.length === 0;
  if (byId("main").classList.contains("is-empty") === isEmpty) return;
  byId("main").classList.toggle("is-empty", isEmpty);
  requestAnimationFrame(keepFocus);
});
queue.addEventListener("done", (/** @type {any} */ event) => {
  announcer.settle(event.detail);
  const sha = event.detail.result?.model.sha256;
  if (sha && sha !== state.model?.sha256) service.askModel(); // it was switched meanwhile
});
queue.addEventListener("trouble", (/** @type {any} */ event) => {
  showTrouble(event.detail.code);
  if (event.detail.code !== "QUEUE_FULL") service.poll();
});
queue.addEventListener("change", () => {
  if (queue.isFree || !queue.waiting.length) showTrouble("");
});
service.addEventListener("ready", () => queue.resume());
viewer.addEventListener("view", () => { byId("zoom-value").textContent = viewer.size ? percent(viewer.view.scale) : "–"; });
viewer.addEventListener("note", () => {
  byId("note").textContent = viewer.note;
  byId("note").hidden = !viewer.note;
});

byId("banner-go").addEventListener("click", () => queue.resume());
byId("notice-close").addEventListener("click", () => showNotice(""));
byId("clear").addEventListener("click", () => remove([...state.items]));
byId("save-all").addEventListener("click", () => saveAll(state.items));
for (const name of /** @type {const} */ (["mask", "boxes", "heat"])) byId(`show-${name}`).addEventListener("click", () => toggle(name));
byId("opacity").addEventListener("input", () => setOpacity(Number(byId("opacity").value)));
byId("zoom-in").addEventListener("click", () => zoomStep(viewer, 1));
byId("zoom-out").addEventListener("click", () => zoomStep(viewer, -1));
byId("zoom-fit").addEventListener("click", () => viewer.fit());
byId("zoom-actual").addEventListener("click", () => viewer.actual());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && byId("model").open) byId("model").open = false;
});
addEventListener("click", (event) => {
  if (!byId("model").contains(event.target)) byId("model").open = false;
});

const help = /** @type {[string[], string][]} */ ([
  [["o"], "Choose pictures"],
  [["j", "k"], "Next, previous picture"],
  [["ArrowDown", "ArrowUp", "Enter"], "In the list: next, previous picture, go to it"],
  [["n", "p"], "Next, previous defect"],
  [["m", "b", "h"], "Mask, boxes, heat on or off"],
  [["[", "]"], "Less, more opacity"],
  [["+", "-", "0", "1"], "Zoom in, zoom out, fit, true size"],
  [["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "On the picture: move it"],
  [["r"], "Retry a failed picture"],
  [["Delete"], "Remove the picture; one that is not done is cancelled"],
  [["?"], "This help"],
]);
listenToKeys(help, {
  o: () => byId("choose-files").click(),
  j: () => state.step(1),
  k: () => state.step(-1),
  n: () => stepDefect(1),
  p: () => stepDefect(-1),
  m: () => toggle("mask"),
  b: () => toggle("boxes"),
  h: () => toggle("heat"),
  "[": () => setOpacity(Number(byId("opacity").value) - 10),
  "]": () => setOpacity(Number(byId("opacity").value) + 10),
  "+": () => zoomStep(viewer, 1),
  "=": () => zoomStep(viewer, 1),
  "-": () => zoomStep(viewer, -1),
  0: () => viewer.fit(),
  1: () => viewer.actual(),
  r: () => state.selected?.phase === "failed" && queue.retry([state.selected]),
  Delete: () => state.selected && remove([state.selected]),
  "?": () => byId("help").showModal(),
});
listen(viewer);
listenToFiles(take);
service.poll();
