// The view of all webhook deliveries.

import { listDeliveries } from "./api.js";
import { deliveryCard, replayButton, stateChip } from "./delivery-card.js";
import { $, h, icon, setText } from "./dom.js";
import { fullTime, oneLine, phoneNumber, timeWithSeconds } from "./format.js";
import { LedgerView } from "./ledger-view.js";
import { laterDelivery } from "./newest.js";
import { go } from "./route.js";

function create(choose) {
  const main = h(
    "button.main",
    { type: "button", on: { click: (event) => choose(event.currentTarget) } },
    h("span.chip-place"),
    h("span.first", { dir: "auto" }),
    h("span.second"),
    h("time"),
    h("span.result"),
  );
  return h("div.ledger-row", { data: { testid: "delivery" } }, main, h("span.row-tool"));
}

function result({ attempts, state }) {
  const last = attempts.at(-1);
  const times = attempts.length > 1 ? ` ×${attempts.length}` : "";
  if (last) return `${last.status ?? "no answer"}${times}`;
  return state === "waiting" ? "on its way" : "";
}

function fill(el, item) {
  const [main, tool] = el.children;
  const [chip, first, second, time, outcome] = main.children;
  if (el.dataset.state !== item.state) {
    el.dataset.state = item.state;
    chip.replaceChildren(stateChip(item.state));
  }
  if (tool.dataset.id !== String(item.id)) {
    tool.dataset.id = String(item.id);
    tool.replaceChildren(replayButton(item.id, { text: false }));
  }
  setText(first, oneLine(item.label, 80));
  setText(
    second,
    `${phoneNumber(item.to)} · #${item.id}${item.replay_of ? ` replays #${item.replay_of}` : ""}`,
  );
  setText(time, timeWithSeconds(item.time));
  time.title = fullTime(item.time);
  setText(outcome, result(item));
}

const toMessage = (item) =>
  go({ view: "phone", to: item.to, from: item.from, message: item.message_id, pane: "chat" });

export const deliveriesView = new LedgerView({
  host: $("#deliveries"),
  title: "Deliveries",
  kind: "deliveries",
  about: "Each choice that was pushed to the webhook, the newest first.",
  rows: { create, fill },
  fetchPage: listDeliveries,
  merge: laterDelivery,
  detail: (item) =>
    h(
      "div",
      {},
      deliveryCard(item, { testid: "delivery-detail", onMessage: () => toMessage(item) }),
      h(
        "button.btn",
        { type: "button", on: { click: () => toMessage(item) } },
        icon("phone"),
        "Show on the phone",
      ),
    ),
  blank: {
    icon: "deliveries",
    title: "Nothing was pushed yet",
    text: "Tap a button on the phone: the customer's choice is pushed to the webhook, and shows here with every attempt.",
  },
});
