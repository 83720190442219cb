// A list of any length with few elements: rows of one height, only those near the window exist.

import { batched, h } from "./dom.js";

const SPARE = 8;

/**
 * @template T
 * @typedef {object} RowMaker
 * @property {(item: T) => string} key
 * @property {() => HTMLElement} create  the content of a row
 * @property {(el: HTMLElement, item: T) => void} fill
 */

/** @template T */
export class VirtualList {
  /**
   * @param {{label: string, rem: number, rows: RowMaker<T>, onNearEnd: () => void, onScroll: () => void}} options
   */
  constructor({ label, rem, rows, onNearEnd, onScroll }) {
    this.rows = rows;
    this.rem = rem;
    this.items = [];
    this.shown = new Map();
    this.sizer = h("ul.rows", { "aria-label": label });
    this.sentinel = h("div.sentinel");
    this.el = h("div.scroller", {}, this.sizer, this.sentinel);
    this.draw = batched(() => this.paint());
    this.el.addEventListener(
      "scroll",
      () => {
        this.draw();
        onScroll();
      },
      { passive: true },
    );
    new ResizeObserver(() => this.draw()).observe(this.el);
    new IntersectionObserver(
      (entries) => {
        this.nearEnd = entries.at(-1).isIntersecting;
        if (this.nearEnd) onNearEnd();
      },
      { root: this.el, rootMargin: "600px 0px" },
    ).observe(this.sentinel);
    this.nearEnd = false;
  }

  get height() {
    return Math.round(this.rem * parseFloat(getComputedStyle(document.documentElement).fontSize));
  }

  get atTop() {
    return this.el.scrollTop < 8;
  }

  /** @param {T[]} items */
  set(items) {
    this.items = items;
    this.draw();
  }

  paint() {
    const height = this.height;
    const { scrollTop, clientHeight } = this.el;
    const from = Math.max(0, Math.floor(scrollTop / height) - SPARE);
    const to = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / height) + SPARE);
    this.sizer.style.height = `${this.items.length * height}px`;
    const wanted = new Map();
    for (let index = from; index < to; index += 1) wanted.set(this.rows.key(this.items[index]), index);
    for (const [key, row] of this.shown) {
      if (wanted.has(key) || this.holdsFocus(key, row)) continue;
      row.remove();
      this.shown.delete(key);
    }
    let before = null;
    for (const [key, index] of wanted) {
      const row = this.shown.get(key) ?? this.make(key);
      row.style.transform = `translateY(${index * height}px)`;
      row.style.height = `${height}px`;
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(this.items.length));
      this.rows.fill(row.firstElementChild, this.items[index]);
      // In the order of the list, for screen readers and the Tab key; a row with the focus stays.
      const place = before ? before.nextSibling : this.sizer.firstChild;
      if (place !== row && !row.contains(document.activeElement)) this.sizer.insertBefore(row, place);
      before = row;
    }
  }

  /** A row that has the focus stays while it is scrolled away, else the focus would be lost. */
  holdsFocus(key, row) {
    return row.contains(document.activeElement) && this.items.some((item) => this.rows.key(item) === key);
  }

  make(key) {
    const row = h("li.row", {}, this.rows.create());
    this.shown.set(key, row);
    return row;
  }

  /** Brings an item into view. */
  reveal(index) {
    const height = this.height;
    const top = index * height;
    const { scrollTop, clientHeight } = this.el;
    if (top < scrollTop) this.el.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) this.el.scrollTop = top + height - clientHeight;
    this.paint();
  }

  /** @returns {HTMLElement|undefined} the content of the row of `key`, where it exists now */
  find(key) {
    return this.shown.get(key)?.firstElementChild;
  }

  toTop() {
    this.el.scrollTop = 0;
    this.draw();
  }
}
