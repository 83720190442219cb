// A list from the test API, newest first: pages of 50 as one scrolls, kept up to date by changes.
// Where the user has scrolled or searched, what is new waits behind a pill, so nothing jumps.

import { emit } from "./bus.js";
import { h, icon, reloader } from "./dom.js";
import { count } from "./format.js";
import { showError } from "./toast.js";
import { VirtualList } from "./virtual-list.js";

const MOST = 20_000; // Items kept: small objects; the elements are few at any length.

/** @template T */
export class PagedList {
  /**
   * @param {object} options
   * @param {HTMLElement} options.host
   * @param {string} options.label
   * @param {number} options.rem  the height of a row
   * @param {import("./virtual-list.js").RowMaker<T>} options.rows
   * @param {(item: T) => number} options.order  the greatest comes first
   * @param {(query: object) => Promise<{items: T[], next: number|null}>} options.fetchPage
   * @param {(item: T) => T} [options.slim]  what is kept of an item
   * @param {(old: T, item: T) => T} [options.merge]
   * @param {() => Node} options.empty
   * @param {(n: number) => string} [options.pillText]
   */
  constructor(options) {
    Object.assign(
      this,
      { slim: (item) => item, merge: (_, item) => item, pillText: (n) => `${count(n)} new` },
      options,
    );
    this.byKey = new Map();
    this.items = [];
    this.pending = new Map();
    this.pendingMore = false;
    this.next = null;
    this.loading = false;
    this.loaded = false;
    this.meanwhile = []; // What changed lately, in case a first page is on its way: it may be older.
    this.query = {};
    this.version = 0;
    this.list = new VirtualList({
      label: this.label,
      rem: this.rem,
      rows: this.rows,
      onNearEnd: () => this.loadMore(),
      onScroll: () => this.scrolled(),
    });
    this.pill = h("button.pill", {
      type: "button",
      hidden: true,
      data: { testid: "new-pill" },
      on: { click: () => this.takeNew() },
    });
    this.blank = h("div.blank", { hidden: true });
    this.host.append(this.pill, this.list.el, this.blank);
    this.reload = reloader(() => this.refresh());
  }

  get steady() {
    return this.list.atTop && !this.query.q;
  }

  /** Loads the first page of another query. */
  async open(query) {
    this.query = query;
    this.version += 1;
    this.clearPending();
    await this.loadFirst();
  }

  async loadFirst() {
    const version = this.version;
    this.meanwhile = [];
    try {
      const page = await this.fetchPage({ ...this.query, limit: 50 });
      if (version !== this.version) return;
      this.replaceAll(page);
      this.take(this.meanwhile.splice(0));
      this.list.toTop();
    } catch (error) {
      if (version === this.version && !this.loaded) showError(error);
    }
  }

  replaceAll({ items, next }) {
    this.byKey = new Map();
    for (const item of items) this.byKey.set(this.rows.key(item), this.slim(item));
    this.next = next;
    this.loaded = true;
    this.clearPending();
    this.arrange();
  }

  async loadMore() {
    if (this.next === null || this.loading) return;
    this.loading = true;
    const version = this.version;
    const before = this.next;
    try {
      const page = await this.fetchPage({ ...this.query, limit: 50, before });
      if (version === this.version && before === this.next) {
        for (const item of page.items) {
          const key = this.rows.key(item);
          if (!this.byKey.has(key)) this.byKey.set(key, this.slim(item));
        }
        this.next = this.byKey.size < MOST ? page.next : null;
        this.arrange();
      }
    } catch (error) {
      showError(error);
    } finally {
      this.loading = false;
    }
    if (this.list.nearEnd) requestAnimationFrame(() => this.list.nearEnd && this.loadMore());
  }

  /** After a reconnect, or where more changed than the change held. */
  async refresh() {
    const version = this.version;
    this.meanwhile = [];
    const page = await this.fetchPage({ ...this.query, limit: 50 });
    if (version !== this.version) return;
    if (!this.loaded || this.steady || !this.items.length) {
      const known = this.byKey;
      this.replaceAll({
        items: page.items.map((item) => {
          const old = known.get(this.rows.key(item));
          return old ? this.merge(old, item) : item;
        }),
        next: page.next,
      });
      this.take(this.meanwhile.splice(0));
      return;
    }
    const before = this.pending.size;
    this.take(page.items);
    if (page.next !== null && this.pending.size - before >= page.items.length) this.pendingMore = true;
    this.showPill();
  }

  /** Items of a change: known ones are mended where they stand, new ones go to the top. */
  take(items) {
    this.meanwhile.push(...items.slice(0, 200 - this.meanwhile.length));
    let changed = false;
    for (const item of items) {
      const key = this.rows.key(item);
      const old = this.byKey.get(key);
      if (old && (this.order(item) <= this.order(old) || !this.steady)) {
        this.byKey.set(key, { ...this.merge(old, this.slim(item)), at: old.at ?? this.order(old) });
        changed = true;
      } else if (this.steady) {
        this.byKey.set(key, old ? this.merge(old, this.slim(item)) : this.slim(item));
        changed = true;
      } else if (this.order(item) > this.newest()) {
        this.pending.set(key, item);
      }
    }
    if (changed) this.arrange();
    this.showPill();
  }

  newest() {
    return this.items.length ? Math.max(this.place(this.items[0]), 0) : 0;
  }

  /** Where an item stands: an item that changed while the list must not jump keeps its place. */
  place(item) {
    return item.at ?? this.order(item);
  }

  arrange() {
    if (this.steady) for (const item of this.byKey.values()) delete item.at;
    this.items = [...this.byKey.values()].sort((a, b) => this.place(b) - this.place(a));
    if (this.items.length > MOST) {
      for (const item of this.items.splice(MOST)) this.byKey.delete(this.rows.key(item));
      this.next = this.order(this.items.at(-1));
    }
    this.list.set(this.items);
    this.showBlank();
    emit("arranged", this);
  }

  showBlank() {
    const blank = this.loaded && !this.items.length;
    if (blank) this.blank.replaceChildren(this.empty(this.query));
    this.blank.hidden = !blank;
    this.list.el.hidden = blank;
  }

  showPill() {
    const n = this.pending.size;
    this.pill.hidden = !n;
    if (n)
      this.pill.replaceChildren(
        icon("up"),
        h("span", { text: `${this.pillText(n)}${this.pendingMore ? " or more" : ""}` }),
      );
  }

  clearPending() {
    this.pending.clear();
    this.pendingMore = false;
    this.showPill();
  }

  scrolled() {
    if (this.steady && this.pending.size) this.takeNew();
  }

  takeNew() {
    const focused = document.activeElement === this.pill;
    this.version += 1;
    this.clearPending();
    this.list.toTop();
    this.loadFirst().then(() => {
      if (focused) this.list.el.querySelector("a, button")?.focus();
    });
  }

  /** After a reset. */
  clear() {
    this.version += 1;
    this.replaceAll({ items: [], next: null });
  }

  redraw() {
    this.list.draw();
  }
}
