// A view with a list on the left and the chosen item on the right: deliveries and refused requests.

import { on } from "./bus.js";
import { h, icon, iconButton } from "./dom.js";
import { PagedList } from "./paged-list.js";

export class LedgerView {
  /**
   * @param {object} options
   * @param {HTMLElement} options.host
   * @param {string} options.title
   * @param {string} options.about  one sentence below the title
   * @param {string} options.kind  the list of a change that it shows: deliveries, refusals
   * @param {{create: (choose: Function) => HTMLElement, fill: Function}} options.rows
   * @param {Function} options.fetchPage
   * @param {(item: object) => Node} options.detail
   * @param {Function} [options.merge]
   * @param {{icon: string, title: string, text: string}} options.blank
   */
  constructor({ host, title, about, kind, rows, fetchPage, detail, blank, merge }) {
    Object.assign(this, { host, detail, kind, rows, chosen: 0, started: false });
    this.listHost = h("div.feed");
    this.place = h("div.detail", { tabindex: -1 });
    this.el = h(
      "div.ledger",
      {},
      h(
        "div.ledger-list",
        {},
        h("header.view-head", {}, h("h2", { text: title }), h("p", { text: about })),
        this.listHost,
      ),
      h(
        "div.ledger-detail",
        { "aria-live": "off" },
        iconButton("back", "Back to the list", () => this.choose(0), { cls: "detail-back" }),
        this.place,
      ),
    );
    host.append(this.el);
    this.list = new PagedList({
      host: this.listHost,
      label: title,
      rem: 4.25,
      order: (item) => item.id,
      fetchPage,
      ...(merge ? { merge } : {}),
      rows: {
        key: (item) => String(item.id),
        create: () => rows.create((el) => this.choose(Number(el.closest("[data-id]").dataset.id))),
        fill: (el, item) => {
          el.dataset.id = String(item.id);
          rows.fill(el, item);
          el.classList.toggle("chosen", item.id === this.chosen);
          el.querySelector(".main").setAttribute("aria-pressed", String(item.id === this.chosen));
        },
      },
      empty: () =>
        h("div.hint.big", {}, icon(blank.icon), h("h3", { text: blank.title }), h("p", { text: blank.text })),
    });
    this.showDetail();
  }

  choose(id) {
    this.chosen = id;
    this.list.redraw();
    this.showDetail();
    if (id) this.place.focus({ preventScroll: true });
  }

  showDetail() {
    const item = this.list?.byKey.get(String(this.chosen));
    this.el.classList.toggle("has-detail", Boolean(item));
    this.place.replaceChildren(
      item
        ? this.detail(item)
        : h("div.hint", {}, icon("code"), h("p", { text: "Choose one to see all of it." })),
    );
  }

  /** Nothing is loaded before the view is first shown. */
  start() {
    if (this.started) return;
    this.started = true;
    this.list.open({});
    const take = (items) => {
      if (!items.length) return;
      this.list.take(items);
      if (items.some((item) => item.id === this.chosen)) this.showDetail();
    };
    on("change", (change) => {
      take(change[this.kind]);
      if (change.more) this.list.reload();
    });
    if (this.kind === "deliveries") on("delivered", take);
    on("reload", () => this.list.reload());
    on("reset", () => {
      this.list.clear();
      this.choose(0);
    });
  }
}
