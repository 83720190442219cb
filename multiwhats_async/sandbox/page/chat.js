// The messages of one conversation: a window of at most 200, oldest first, that moves as one scrolls.

import { getMessage, listMessages } from "./api.js";
import { laterMessage } from "./newest.js";

export const MOST = 200;
const PAGE = 50;
const AT_BOTTOM = 100; // Enough where the newest are looked at: a burst is drawn faster.

export class Chat {
  /** @param {() => void} changed  called after each change of `items` */
  constructor(changed) {
    this.changed = changed;
    this.close();
    this.stride = MOST;
  }

  close() {
    this.to = "";
    this.from = "";
    this.items = [];
    this.atStart = true;
    this.atEnd = true;
    this.busy = false;
    this.version = (this.version ?? 0) + 1;
  }

  /** The newest messages, or those around one. @returns whether it was still wanted */
  async open(to, from, around = 0) {
    this.close();
    const { version } = this;
    this.to = to;
    this.from = from;
    const query = { to, from, limit: PAGE };
    let page = await listMessages(around ? { ...query, before: around + 1 } : query);
    let newer = { items: [], next: null };
    if (around) newer = await listMessages({ ...query, after: around });
    if (around && !page.items.length && !newer.items.length) page = await listMessages(query);
    if (version !== this.version) return false;
    this.atEnd = newer.next === null;
    this.atStart = page.next === null;
    this.items = this.joined([...page.items, ...(this.atEnd ? newer.items : [])], this.items);
    this.changed();
    return true;
  }

  joined(...lists) {
    const byId = new Map();
    for (const item of lists.flat()) byId.set(item.id, laterMessage(byId.get(item.id), item));
    return [...byId.values()].sort((a, b) => a.id - b.id);
  }

  async once(work) {
    if (this.busy) return;
    this.busy = true;
    const { version } = this;
    try {
      await work(() => version === this.version);
    } finally {
      if (version === this.version) this.busy = false;
    }
  }

  loadOlder() {
    if (this.atStart || !this.items.length) return Promise.resolve();
    return this.once(async (wanted) => {
      const page = await listMessages({
        to: this.to,
        from: this.from,
        before: this.items[0].id,
        limit: PAGE,
      });
      if (!wanted()) return;
      this.atStart = page.next === null;
      this.items = this.joined(page.items, this.items);
      if (this.items.length > MOST) {
        this.items.length = MOST;
        this.atEnd = false;
      }
      this.changed();
    });
  }

  /** The API pages towards older ones only; so newer ones are asked for by a stretch of ids. */
  loadNewer() {
    if (this.atEnd || !this.items.length) return Promise.resolve();
    return this.once(async (wanted) => {
      const last = this.items.at(-1).id;
      const query = { to: this.to, from: this.from, after: last, limit: MOST };
      let page = await listMessages(query);
      const whole = page.next === null;
      while (!whole && wanted()) {
        page = await listMessages({ ...query, before: last + this.stride + 1 });
        if (page.items.length && page.next === null) break;
        this.stride = page.items.length ? Math.ceil(this.stride / 2) : this.stride * 2;
      }
      if (!wanted()) return;
      const next = page.items.reverse().slice(0, whole ? MOST : PAGE);
      this.atEnd = whole && next.length === page.items.length;
      this.items = this.joined(this.items, next);
      if (this.items.length > MOST) {
        this.items.splice(0, this.items.length - MOST);
        this.atStart = false;
      }
      this.changed();
    });
  }

  /** Loads anew what is shown. @param {boolean} atBottom whether the newest are to be shown */
  refresh(atBottom) {
    if (!this.to) return Promise.resolve();
    if (!this.items.length) return this.open(this.to, this.from);
    return this.once(async (wanted) => {
      const first = this.items[0].id;
      const last = this.items.at(-1).id;
      const query = { to: this.to, from: this.from, after: first - 1, limit: MOST };
      const page = await listMessages(this.atEnd ? query : { ...query, before: last + 1 });
      if (!wanted()) return;
      const got = new Set(page.items.map((item) => item.id));
      const whole = page.next === null;
      // What the answer lacks is forgotten by the sandbox, save what came after it was asked for.
      if (whole || atBottom) {
        this.items = this.joined(
          this.items.filter((item) => got.has(item.id) || item.id > last),
          page.items,
        );
        this.atStart &&= whole;
      } else {
        const shown = new Set(this.items.map((item) => item.id));
        this.items = this.joined(
          this.items,
          page.items.filter((item) => shown.has(item.id)),
        );
        this.atEnd = false;
      }
      this.trim(atBottom);
      this.changed();
    });
  }

  /** Takes messages of a change. @returns {number} how many of them are new here */
  take(messages, atBottom) {
    let fresh = 0;
    let touched = false;
    for (const message of messages) {
      if (message.to !== this.to || message.from !== this.from) continue;
      const at = this.items.findLastIndex((item) => item.id === message.id);
      if (at >= 0) {
        this.items[at] = laterMessage(this.items[at], message);
        touched = true;
      } else {
        const late = message.id < (this.items.at(-1)?.id ?? 0);
        if (!late) fresh += 1;
        if (late ? message.id > this.items[0].id : this.atEnd) this.items.push(message);
        if (late) this.items.sort((a, b) => a.id - b.id);
        touched = true;
      }
    }
    if (!touched) return 0;
    this.trim(atBottom);
    this.changed();
    return fresh;
  }

  trim(atBottom) {
    const over = this.items.length - (atBottom ? AT_BOTTOM : MOST);
    if (over <= 0) return;
    if (atBottom) {
      this.items.splice(0, over);
      this.atStart = false;
    } else {
      this.items.length = MOST;
      this.atEnd = false;
    }
  }

  /** One message anew, after a tap that came too late. */
  async mend(id) {
    const message = await getMessage(id);
    this.take([message], false);
    return message;
  }

  /** The newest message that can be tapped. */
  get untapped() {
    return this.items.findLast((item) => !item.tap && item.buttons.length);
  }
}
