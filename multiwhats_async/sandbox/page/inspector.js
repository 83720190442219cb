// Beside the phone: one message as request, response, deliveries, and as a program that sends it.

import { getMessage, listDeliveries } from "./api.js";
import { on } from "./bus.js";
import { $, byTestId, copyButton, h, icon, iconButton, reloader } from "./dom.js";
import { fullTime, phoneNumber, timeWithSeconds } from "./format.js";
import { connectPanel } from "./connect.js";
import { deliveryCard } from "./delivery-card.js";
import { codeBlock, jsonBlock, pretty } from "./json-view.js";
import { laterDelivery } from "./newest.js";
import { back, route } from "./route.js";
import { asCurl, asPython } from "./snippets.js";
import { showError } from "./toast.js";

const TABS = [
  ["request", "Request"],
  ["response", "Response"],
  ["deliveries", "Deliveries"],
  ["python", "Python"],
  ["curl", "curl"],
];
const MOST_DELIVERIES = 50;

const host = $("#inspector");
const deliveries = new Map();
let tab = "request";
let wantedId = 0;
let message = null;
let more = false;

const title = h("h2.title");
const facts = h("p.facts-line");
const when = h("time.facts-line");
const tabs = h("div.tabs", { role: "tablist", "aria-label": "Message" });
const panel = h("div.tab-panel", { role: "tabpanel", id: "tab-panel", tabindex: -1 });
const shownMessage = h(
  "div.inspected",
  { hidden: true },
  h(
    "header.pane-head",
    {},
    iconButton("back", "Back to the phone", () => back({ pane: "chat" }), { cls: "inspector-back" }),
    h("div", {}, h("div.title-line", {}, title, when), facts),
  ),
  tabs,
  panel,
);
const connect = connectPanel();
const nothing = h("div.connect-place", {}, connect);

function buildTabs() {
  for (const [name, label] of TABS) {
    tabs.append(
      h(
        "button.tab",
        {
          type: "button",
          role: "tab",
          id: `tab-${name}`,
          "aria-controls": "tab-panel",
          data: { testid: `tab-${name}`, name },
          on: { click: () => choose(name) },
        },
        label,
        name === "deliveries" ? h("span.tab-count") : null,
      ),
    );
  }
  tabs.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = TABS.findIndex(([name]) => name === tab);
    choose(TABS[(at + by + TABS.length) % TABS.length][0]);
    byTestId(`tab-${tab}`, tabs).focus();
  });
}

function choose(name) {
  tab = name;
  show();
}

function showTabs() {
  for (const button of tabs.children) {
    const selected = button.dataset.name === tab;
    button.setAttribute("aria-selected", String(selected));
    button.tabIndex = selected ? 0 : -1;
  }
  const n = deliveries.size;
  tabs.querySelector(".tab-count").textContent = n ? `${n}${more ? "+" : ""}` : "";
  panel.setAttribute("aria-labelledby", `tab-${tab}`);
}

const bar = (note, text) => h("div.code-bar", {}, h("span", { text: note }), copyButton(text));

function content() {
  if (tab === "deliveries") return deliveryList();
  if (tab === "python")
    return [
      bar("Needs the two exports; see Connect", () => asPython(message)),
      codeBlock(asPython(message), { label: "Python" }),
    ];
  if (tab === "curl")
    return [
      bar("The key stays in your environment", () => asCurl(message)),
      codeBlock(asCurl(message), { label: "curl" }),
    ];
  const value = message[tab];
  const note =
    tab === "request"
      ? "POST basic/whatsapp/send-dynamic"
      : message.fault
        ? `Never arrived as it should: ${message.fault}`
        : "200, as the client got it";
  return [bar(note, () => pretty(value)), jsonBlock(value, tab === "request" ? "Request" : "Response")];
}

function deliveryList() {
  if (!deliveries.size) {
    return h(
      "div.hint",
      {},
      icon("deliveries"),
      h("p", { text: message.tap ? "This choice was not pushed." : "Not answered yet." }),
      h("p.small", {
        text: message.tap
          ? "A fault may have kept it back."
          : "Tap a button on the phone: the choice is pushed to the webhook.",
      }),
    );
  }
  return [...deliveries.values()]
    .sort((a, b) => b.id - a.id)
    .slice(0, MOST_DELIVERIES)
    .map((item) => deliveryCard(item));
}

function show() {
  shownMessage.hidden = !message;
  nothing.hidden = Boolean(message);
  if (!message) return;
  title.textContent = `Message ${message.id}`;
  when.dateTime = message.time;
  when.title = fullTime(message.time);
  when.textContent = timeWithSeconds(message.time);
  facts.replaceChildren(
    h("span.nowrap", { text: phoneNumber(message.from) }),
    " → ",
    h("span.nowrap", { text: phoneNumber(message.to) }),
  );
  showTabs();
  const open = [...panel.querySelectorAll("details[open]")].length;
  if (tab === "deliveries" && open && panel.dataset.id === `${message.id}${tab}`) mendDeliveries();
  else panel.replaceChildren(...[content()].flat());
  panel.dataset.id = `${message.id}${tab}`;
}

/** Only the cards that changed, so that what is unfolded in the others stays. */
function mendDeliveries() {
  for (const item of deliveries.values()) {
    const old = panel.querySelector(`[data-testid="delivery"][data-id="${item.id}"]`);
    const version = `${item.state}${item.attempts.length}`;
    if (old && old.dataset.version === version) continue;
    const card = deliveryCard(item);
    card.dataset.version = version;
    if (old) old.replaceWith(card);
    else panel.prepend(card);
  }
}

async function load() {
  const id = wantedId;
  if (!id) return;
  try {
    const [found, page] = await Promise.all([
      getMessage(id),
      listDeliveries({ message: id, limit: MOST_DELIVERIES }),
    ]);
    if (id !== wantedId) return;
    message = found;
    const known = new Map(deliveries);
    deliveries.clear();
    more = page.next !== null;
    for (const item of page.items) deliveries.set(item.id, laterDelivery(known.get(item.id), item));
    show();
  } catch (error) {
    if (id !== wantedId) return;
    if (error.status === 404) {
      message = null;
      show();
      if (route.message === id) showError(error);
    } else if (!message) showError(error);
  }
}

const reload = reloader(load, 250);

function inspect(next) {
  const id = next?.id ?? 0;
  if (id === wantedId) {
    if (message && next?.tap && !message.tap) reload();
    return;
  }
  const first = !wantedId;
  wantedId = id;
  if (!id) {
    message = null;
    deliveries.clear();
    show();
  } else if (first) load();
  else reload();
}

function takeDeliveries(items) {
  let changed = false;
  for (const item of items) {
    if (item.message_id !== wantedId || !message) continue;
    deliveries.set(item.id, laterDelivery(deliveries.get(item.id), item));
    changed = true;
  }
  if (!changed) return;
  if (tab === "deliveries") show();
  else showTabs();
}

export function startInspector() {
  buildTabs();
  host.append(shownMessage, nothing);
  show();
  on("inspect", inspect);
  on("show-tab", choose);
  on("delivered", takeDeliveries);
  on("reload", reload);
  on("reset", () => inspect(null));
  on("change", (change) => {
    takeDeliveries(change.deliveries);
    if (change.more || change.messages.some(({ id, tap }) => id === wantedId && tap && !message?.tap))
      reload();
  });
}
