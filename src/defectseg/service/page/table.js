// The defects of a result in, a table out that can be sorted; a row chosen marks its defect.

import { classNumber } from "./layers.js";
import { colourOf, toCss } from "./colours.js";
import { make } from "./dom.js";
import { percent, score, whole } from "./text.js";

const MOST_ROWS = 200; // beyond, a page of rows helps nobody; the JSON has all

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(defect: any, number: number) => number | string} value sorted by it
 * @property {(defect: any) => string} text
 * @property {boolean} [left] aligned
 * @property {boolean} [small] in two lines
 */

/** @type {Column[]} */
const COLUMNS = [
  { title: "#", value: (_, number) => number, text: () => "" },
  { title: "Class", value: (defect) => defect.defect_class, text: (defect) => defect.defect_class, left: true },
  { title: "Score", value: (defect) => -defect.score, text: (defect) => score(defect.score) },
  { title: "Area", value: (defect) => -defect.area_px, text: (defect) => `${whole(defect.area_px)} px\n${percent(defect.area_fraction)}`, small: true },
  { title: "mm²", value: (defect) => -defect.area_mm2, text: (defect) => String(Number(defect.area_mm2.toPrecision(3))) },
  { title: "Box", value: (defect) => defect.box[0], text: ({ box: [x1, y1, x2, y2] }) => `${x1}, ${y1}\n${x2}, ${y2}`, left: true, small: true },
];

export class DefectTable {
  /**
   * @param {any} result
   * @param {string[]} classes
   * @param {(number: number | null) => void} onMark a row is chosen, or chosen again: none
   */
  constructor(result, classes, onMark) {
    this.result = result;
    this.classes = classes;
    this.onMark = onMark;
    this.columns = COLUMNS.filter((column) => column.title !== "mm²" || result.defects.some((defect) => defect.area_mm2 !== undefined));
    this.sorted = { column: this.columns[0], direction: 1 };
    /** @type {number | null} */
    this.marked = null;
    this.body = make("tbody", { onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) });
    this.heads = this.columns.map((column) => this.makeHead(column));
    const table = make("table", { "aria-label": "Defects" }, make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    this.element = make("div", { class: "table-frame" }, table);
    this.fill();
  }

  makeHead(/** @type {Column} */ column) {
    const onclick = () => {
      const direction = this.sorted.column === column ? -this.sorted.direction : 1;
      this.sorted = { column, direction };
      this.fill();
    };
    return make("th", { scope: "col", class: column.left ? "left" : "" }, make("button", { type: "button", text: column.title, onclick }));
  }

  fill() {
    const { column, direction } = this.sorted;
    const values = this.result.defects.map((defect, number) => column.value(defect, number));
    const order = values.map((_, number) => number).sort((a, b) => direction * compare(values[a], values[b]) || a - b);
    this.columns.forEach((each, k) => {
      if (each !== column) this.heads[k].removeAttribute("aria-sort");
      else this.heads[k].setAttribute("aria-sort", (direction === 1) === isAscending(each) ? "ascending" : "descending");
    });
    this.body.replaceChildren(...order.slice(0, MOST_ROWS).map((number) => this.makeRow(number)));
    this.setMarked(this.marked);
  }

  makeRow(/** @type {number} */ number) {
    const defect = this.result.defects[number];
    const onclick = () => this.choose(number);
    const cells = this.columns.slice(1).map((column) => {
      const text = column.text(defect);
      if (column.title !== "Class") return make("td", { class: `${column.left ? "left" : ""} ${column.small ? "small" : ""}`, text });
      const swatch = make("i", { class: "swatch" });
      swatch.style.background = toCss(colourOf(classNumber(defect.defect_class, this.classes)));
      return make("td", { class: "left" }, make("span", { class: "class-cell" }, swatch, make("bdi", { text })));
    });
    const label = `Defect ${number + 1}, ${defect.defect_class}: show it`;
    const button = make("button", { type: "button", class: "mark", text: number + 1, "aria-label": label, tabindex: -1 });
    return make("tr", { "data-number": number, onclick }, make("td", {}, button), ...cells);
  }

  choose(/** @type {number} */ number) {
    this.setMarked(this.marked === number ? null : number);
    this.onMark(this.marked);
  }

  /** Show which defect is marked; only its button, or the first, takes part in the tab order. */
  setMarked(/** @type {number | null} */ number) {
    this.marked = number;
    const rows = [...this.body.children];
    const current = rows.find((row) => Number(row.dataset.number) === number) ?? rows[0];
    for (const row of rows) {
      const isMarked = Number(row.dataset.number) === number;
      row.classList.toggle("is-marked", isMarked);
      const button = row.querySelector("button");
      button.setAttribute("aria-pressed", String(isMarked));
      button.tabIndex = row === current ? 0 : -1;
    }
  }

  press(/** @type {KeyboardEvent} */ event) {
    const rows = [...this.body.children];
    const place = rows.findIndex((row) => row.contains(document.activeElement));
    const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 };
    if (place < 0 || !Object.hasOwn(moves, event.key)) return;
    rows[Math.min(Math.max(moves[event.key], 0), rows.length - 1)].querySelector("button").focus();
    event.preventDefault();
    event.stopPropagation();
  }
}

/** The values of the other columns are negated: the largest come first. */
function isAscending(/** @type {Column} */ column) {
  return ["#", "Class", "Box"].includes(column.title);
}

function compare(/** @type {number | string} */ a, /** @type {number | string} */ b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
