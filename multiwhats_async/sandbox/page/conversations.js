// The list of conversations: who was written to, the newest first, with search.

import { listConversations } from "./api.js";
import { emit, on } from "./bus.js";
import { $, h, icon, setText } from "./dom.js";
import { clip, folded, hueOf, listTime, oneLine, phoneNumber, shortCount } from "./format.js";
import { laterMessage } from "./newest.js";
import { PagedList } from "./paged-list.js";
import { address, go, route } from "./route.js";

const keyOf = (item) => `${item.to}|${item.from}`;
const senders = new Set();
const search = $("#search");

/** The preview needs little of a message, and a text may be long. */
const slimMessage = (message) => ({
  ...message,
  text: clip(message.text, 200),
  buttons: message.buttons.slice(0, 3),
});

function slim(item) {
  if (senders.size < 2) senders.add(item.from);
  return { ...item, last: slimMessage(item.last) };
}

function merge(old, item) {
  const unseen = old.unseen ?? 0;
  return {
    ...item,
    last: laterMessage(old.last, item.last),
    unseen: item.last.id > old.last.id && !isOpen(item) ? unseen + 1 : unseen,
  };
}

const isOpen = (item) => item.to === shown.to && item.from === shown.from;
let shown = { to: "", from: "" };

function create() {
  return h(
    "a.conversation",
    { data: { testid: "conversation" } },
    h("span.avatar", { "aria-hidden": "true" }),
    h("span.who"),
    h("time.when"),
    h("span.preview", { dir: "auto" }),
    h("span.badge"),
  );
}

function fill(el, item) {
  const [avatar, who, when, preview, badge] = el.children;
  const current = isOpen(item);
  if (el.dataset.to !== item.to || el.dataset.from !== item.from) {
    el.dataset.to = item.to;
    el.dataset.from = item.from;
    el.href = address({ to: item.to, from: item.from });
    avatar.style.setProperty("--hue", String(hueOf(item.to)));
    setText(avatar, item.to.slice(-2));
  }
  setText(who, phoneNumber(item.to));
  el.title = senders.size > 1 ? `From ${phoneNumber(item.from)}` : "";
  setText(when, listTime(item.last.time));
  const { tap, text, fault } = item.last;
  preview.className = `preview${tap ? " tapped" : fault ? " faulty" : ""}`;
  const words = tap ? oneLine(tap.label, 80) : oneLine(text) || "(no text)";
  const version = `${preview.className}${words}`;
  if (preview.dataset.version !== version) {
    preview.dataset.version = version;
    preview.replaceChildren(...(tap ? [icon("reply")] : fault ? [icon("faults")] : []), words);
  }
  const unseen = current ? 0 : (item.unseen ?? 0);
  badge.className = `badge${unseen ? " unseen" : ""}`;
  setText(badge, unseen ? shortCount(unseen) : item.count > 1 ? shortCount(item.count) : "");
  badge.title = unseen ? `${unseen} new` : item.count > 1 ? `${item.count} messages` : "";
  if (current) el.setAttribute("aria-current", "true");
  else el.removeAttribute("aria-current");
  el.tabIndex = current || (!hasCurrent() && conversations.items[0] === item) ? 0 : -1;
}

const hasCurrent = () => conversations.byKey.has(keyOf(shown));

function empty({ q }) {
  if (q) {
    return h(
      "div.hint",
      {},
      icon("chat"),
      h("p", { text: "Nothing found." }),
      h("button.btn.small", { type: "button", text: "Clear the search", on: { click: () => setSearch("") } }),
    );
  }
  return h(
    "div.hint",
    {},
    icon("chat"),
    h("p", { text: "No messages yet." }),
    h("p.small", { text: "Point your program at this sandbox and send one." }),
    h("button.btn.small.only-narrow", {
      type: "button",
      text: "How to connect",
      on: { click: () => emit("connect") },
    }),
  );
}

export const conversations = new PagedList({
  host: $("#conversations"),
  label: "Conversations",
  rem: 4.5,
  rows: { key: keyOf, create, fill },
  order: (item) => item.last.id,
  fetchPage: listConversations,
  slim,
  merge,
  empty,
});

/** Changed messages as conversations; a count is only known here for those that are loaded. */
function fromMessages(messages) {
  const q = folded(route.q);
  const items = new Map();
  for (const message of messages) {
    const key = keyOf(message);
    const old = items.get(key) ?? conversations.byKey.get(key) ?? conversations.pending.get(key);
    if (old && message.id < old.last.id) continue;
    const fresh = !old || message.id > old.last.id;
    if (!old && q && !folded([message.text, message.to, ...message.buttons].join(" ")).includes(q)) continue;
    if (!old && message.tap) continue; // An old one, further down than is loaded.
    const item = { from: message.from, to: message.to, last: message };
    item.count = (old?.count ?? 0) + (fresh ? 1 : 0);
    if (!old) item.unseen = isOpen(item) ? 0 : 1;
    // One that is further down than is loaded has more messages than are known here.
    if (!old && conversations.next !== null) conversations.reload();
    items.set(key, item);
  }
  return [...items.values()];
}

let searchTimer = 0;

function setSearch(text) {
  search.value = text;
  go({ q: text }, { replace: true });
}

search.addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => go({ q: search.value.trim() }, { replace: true }), 200);
});

conversations.list.el.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.conversation");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go({ to: link.dataset.to, from: link.dataset.from, message: 0, pane: "chat", view: "phone" });
});

/** The next or the one before, for the keyboard. */
export function step(by) {
  const { items } = conversations;
  if (!items.length) return;
  const at = items.findIndex(isOpen);
  const index = at < 0 ? 0 : Math.min(items.length - 1, Math.max(0, at + by));
  const inList = conversations.list.el.contains(document.activeElement);
  conversations.list.reveal(index);
  const item = items[index];
  go({ to: item.to, from: item.from, message: 0, pane: "chat", view: "phone" }, { replace: true });
  conversations.list.paint();
  if (inList) conversations.list.find(keyOf(item))?.focus({ preventScroll: true });
}

/** Marks the open conversation in the list. */
export function mark(to, from) {
  shown = { to, from };
  const item = conversations.byKey.get(keyOf(shown));
  if (item) item.unseen = 0;
  conversations.redraw();
}

export function startConversations() {
  search.value = route.q;
  conversations.open({ q: route.q });
  on("change", (change) => {
    if (change.messages.length) conversations.take(fromMessages(change.messages));
    if (change.more) conversations.reload();
  });
  on("reset", () => conversations.clear());
  on("reload", () => conversations.reload());
  on("route", ({ route: now, before }) => {
    if (now.q === before.q) return;
    if (search.value.trim() !== now.q) search.value = now.q;
    conversations.open({ q: now.q });
  });
}
