// /ready and /v1/model asked now and then, the header's words out; silent while the page is hidden.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";
import { pairs } from "./detail.js";
import { bytes, score, whole } from "./text.js";

const EVERY_MS = 10_000;
const WORDS = { checking: "Asking …", ready: "Ready", starting: "Not ready", stopping: "Stopping", unreachable: "Unreachable" };

export class ServiceState extends EventTarget {
  constructor(/** @type {import("./state.js").State} */ state) {
    super();
    this.state = state;
    this.name = "checking";
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.poll());
    state.addEventListener("model", () => showModel(state.model));
  }

  /** Ask now, and again in a while; a hidden page stops asking. */
  async poll() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    this.timer = setTimeout(() => this.poll(), EVERY_MS);
    const before = this.name;
    this.name = await ask("/ready").then(() => "ready", nameOf);
    const element = byId("state");
    element.dataset.state = this.name;
    if (this.name !== before) byId("state-word").textContent = WORDS[this.name]; // a change is read out
    if (this.name !== "ready") return;
    if (!this.state.model || before !== "ready") await this.askModel();
    if (before !== "ready") this.dispatchEvent(new Event("ready"));
  }

  /** Another model may be served since. */
  async askModel() {
    try {
      const model = await ask("/v1/model");
      if (model.sha256 !== this.state.model?.sha256) this.state.setModel(model);
    } catch {
      // The next poll asks again; results do not need it.
    }
  }
}

function nameOf(/** @type {import("./api.js").ApiFailure} */ failure) {
  if (failure.code === "DRAINING") return "stopping";
  return failure.code === "NETWORK" ? "unreachable" : "starting";
}

function showModel(/** @type {any} */ model) {
  byId("model-name").textContent = `${model.name} ${model.version} · ${model.sha256.slice(0, 8)}`;
  const { operating_point: point, input } = model;
  byId("limits").textContent = limits(input);
  byId("model-card").replaceChildren(
    make("h3", { text: "Verdict" }),
    pairs([["Reject", `score from ${score(point.reject)}`], ["Review", `score from ${score(point.review)}`], ["Accept", "no defect"], ["Chosen by", point.rule]]),
    make("h3", { text: "Classes" }),
    pairs(point.classes.map((each) => [each.defect_class, `from ${each.threshold.toFixed(2)} a pixel, ${whole(each.min_area)} px or more, score 0.5 at ${score(1 / (1 + each.odds_ratio))}`])),
    make("h3", { text: "Pictures" }),
    pairs([
      ["Formats", input.formats.join(", ")],
      ["File", `up to ${bytes(input.max_body_bytes)}`],
      ["Pixels", `up to ${whole(input.max_pixels / 1e6)} million`],
      ["Sides", `${whole(input.min_side)} to ${whole(input.max_side)} px, at most ${whole(input.max_aspect)} : 1`],
      ["Depth", input.depth ?? "8 bits a channel, or 16-bit grey"],
      ...(model.mm_per_pixel ? [["Pixel", `${model.mm_per_pixel} mm`]] : []),
    ]),
    make("h3", { text: "Model" }),
    pairs([
      ["Name", `${model.name} ${model.version}, ${model.precision}`], ["Channels", model.channels === 1 ? "1, grey" : "3, RGB"],
      ["Runs on", model.provider], ["Loaded", new Date(model.loaded_at).toLocaleString()], ["SHA-256", model.sha256],
    ]));
}

function limits(/** @type {any} */ input) {
  return `${input.formats.join(", ")} · up to ${bytes(input.max_body_bytes)} and ${whole(input.max_pixels / 1e6)} million pixels each`;
}
