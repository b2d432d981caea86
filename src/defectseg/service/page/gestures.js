// Wheel, mouse, fingers and keys on the canvas in, zooming and panning of the viewer out.

const WHEEL = 0.0016; // of a zoom a pixel of the wheel
const LINE_PX = 16; // where the wheel counts lines
const STEP = 1.4; // a key or a button
const PAN_PX = 60; // an arrow key, CSS pixels
const DOUBLE_MS = 350; // between two taps
const DOUBLE_PX = 24;

/** Let a person move the picture. */
export function listen(/** @type {import("./viewer.js").Viewer} */ viewer) {
  const { canvas } = viewer;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const px = event.deltaMode === 0 ? event.deltaY : event.deltaY * LINE_PX;
    viewer.zoom(Math.exp(-px * WHEEL * (event.ctrlKey ? 6 : 1)), place(canvas, event)); // ctrl = pinch of a touchpad
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(viewer, event.key)) event.preventDefault();
  });
  new Fingers(viewer);
}

/** What a key does on the canvas. */
function press(/** @type {import("./viewer.js").Viewer} */ viewer, /** @type {string} */ key) {
  const step = PAN_PX * (devicePixelRatio || 1);
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (Object.hasOwn(moves, key)) viewer.pan(...moves[key]);
  else return false;
  return true;
}

/** Zoom one step in or out. */
export function zoomStep(/** @type {import("./viewer.js").Viewer} */ viewer, /** @type {number} */ direction) {
  viewer.zoom(STEP ** direction);
}

/** One pointer drags, two pinch, two quick taps zoom in or fit. */
class Fingers {
  constructor(/** @type {import("./viewer.js").Viewer} */ viewer) {
    this.viewer = viewer;
    /** @type {Map<number, {x: number, y: number}>} */
    this.down = new Map();
    this.lastTap = { at: -Infinity, x: 0, y: 0 };
    this.moved = 0;
    const { canvas } = viewer;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.release(event));
    viewer.addEventListener("view", () => {
      canvas.style.touchAction = viewer.isFitted ? "pan-y" : "none"; // a fitted picture lets the page scroll
    });
  }

  press(/** @type {PointerEvent} */ event) {
    if (event.button !== 0) return;
    const { canvas } = this.viewer;
    canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, place(canvas, event));
    this.moved = 0;
    canvas.classList.add("is-dragged");
  }

  move(/** @type {PointerEvent} */ event) {
    const before = this.down.get(event.pointerId);
    if (!before) return;
    const now = place(this.viewer.canvas, event);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    const other = [...this.down].find(([id]) => id !== event.pointerId)?.[1];
    this.down.set(event.pointerId, now);
    if (!other) {
      this.viewer.pan(now.x - before.x, now.y - before.y);
      return;
    }
    const apart = (/** @type {{x: number, y: number}} */ p) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
    this.viewer.zoom(apart(now) / apart(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    this.viewer.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  release(/** @type {PointerEvent} */ event) {
    if (!this.down.delete(event.pointerId)) return;
    if (this.down.size === 0) this.viewer.canvas.classList.remove("is-dragged");
    const isTap = event.type === "pointerup" && this.moved < DOUBLE_PX / 2;
    if (!isTap) return;
    const at = place(this.viewer.canvas, event);
    const isDouble = event.timeStamp - this.lastTap.at < DOUBLE_MS && Math.hypot(at.x - this.lastTap.x, at.y - this.lastTap.y) < DOUBLE_PX;
    this.lastTap = { at: isDouble ? -Infinity : event.timeStamp, ...at };
    if (!isDouble) return;
    if (this.viewer.isFitted) this.viewer.zoom(4, at);
    else this.viewer.fit();
  }
}

/** Where a pointer is, canvas pixels. */
function place(/** @type {HTMLCanvasElement} */ canvas, /** @type {MouseEvent} */ event) {
  const ratio = canvas.width / canvas.clientWidth;
  const box = canvas.getBoundingClientRect();
  return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
}
