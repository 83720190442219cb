// The phone: the open conversation, drawn message by message; taps; scrolling; the pill for new ones.

import { getMessage, listMessages, tap } from "./api.js";
import { emit, on } from "./bus.js";
import { bubble } from "./bubble.js";
import { Chat } from "./chat.js";
import { conversations, mark } from "./conversations.js";
import { batched, h, icon, reloader } from "./dom.js";
import { count, dayName, oneLine, phoneNumber, sameDay } from "./format.js";
import { buildPhone } from "./phone-frame.js";
import { pushOf } from "./pushes.js";
import { go, route } from "./route.js";
import { announce, showError, toast } from "./toast.js";

const wide = matchMedia("(min-width: 700px)");
const ui = buildPhone({ onPill: () => toBottom(true) });
const { log, list, pill } = ui;
const drawn = new Map();
const handlers = { onTap: choose, onSelect: select, onPush: showDeliveries };
let atBottom = true;
let fresh = 0;
let wanted = 0; // The message of a deep link, until it has been scrolled to.
let flash = false;

const draw = batched(paint);
export const chat = new Chat(draw);
const reload = reloader(async () => {
  while (chat.busy) await new Promise((resolve) => setTimeout(resolve, 100));
  await chat.refresh(atBottom);
});

/** The message that the inspector shows: the chosen one, else the last. */
export const selected = () =>
  chat.items.find((item) => item.id === route.message) ?? (route.message ? null : chat.items.at(-1));

function paint() {
  const anchor = atBottom
    ? null
    : [...drawn.values()].find(({ el }) => el.isConnected && el.offsetTop + el.offsetHeight > log.scrollTop);
  const before = anchor && anchor.el.offsetTop - log.scrollTop;
  const keep = new Set(chat.items.map((item) => item.id));
  for (const [id, { el }] of drawn) {
    if (keep.has(id)) continue;
    el.remove();
    drawn.delete(id);
  }
  const focus = document.activeElement;
  const focusIn = list.contains(focus) ? Number(focus.closest("li[data-id]")?.dataset.id) : 0;
  let place = list.firstChild;
  chat.items.forEach((message, index) => {
    const earlier = chat.items[index - 1];
    const day = !earlier || !sameDay(earlier.time, message.time) ? dayName(message.time) : "";
    const known = drawn.get(message.id);
    let el = known?.el;
    if (!el) {
      el = h("li", { data: { testid: "message", id: message.id } });
      if (flash) el.classList.add("arrives");
    }
    const push = message.tap ? pushOf(message.id) : undefined;
    if (known?.message !== message || known.day !== day || known.push !== push) {
      el.classList.remove("answers");
      if (known) el.classList.remove("arrives");
      if (known && !known.message.tap && message.tap) el.classList.add("answers");
      el.replaceChildren(
        ...(day ? [h("p.day", {}, h("span", { text: day }))] : []),
        bubble(message, handlers),
      );
      drawn.set(message.id, { el, message, day, push });
    }
    if (place === el) place = el.nextSibling;
    else list.insertBefore(el, place);
  });
  flash = false;
  // A button that was tapped by the keyboard is locked now: the focus stays with its message.
  if (focusIn && !focus.isConnected)
    drawn.get(focusIn)?.el.querySelector(".inspect").focus({ preventScroll: true });
  markSelected();
  ui.showState(chat, Boolean(chat.to));
  if (wanted && drawn.has(wanted)) {
    drawn.get(wanted).el.scrollIntoView({ block: "center" });
    drawn.get(wanted).el.classList.add("found");
    wanted = 0;
    atBottom = nearBottom();
  } else if (atBottom) {
    log.scrollTop = log.scrollHeight;
  } else if (anchor?.el.isConnected) {
    log.scrollTop = anchor.el.offsetTop - before;
  }
  if (atBottom && chat.atEnd) fresh = 0;
  showPill();
  emit("chat-drawn");
}

function markSelected() {
  const message = selected();
  for (const [id, { el }] of drawn) el.classList.toggle("selected", id === message?.id && route.message > 0);
  emit("inspect", message ?? (route.message ? { id: route.message, to: chat.to, from: chat.from } : null));
}

const nearBottom = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

function showPill() {
  const show =
    fresh > 0 ||
    !chat.atEnd ||
    (!atBottom && log.scrollHeight - log.scrollTop - log.clientHeight > log.clientHeight * 0.7);
  pill.hidden = !show;
  pill.classList.toggle("has-new", fresh > 0);
  if (show)
    pill.replaceChildren(
      icon("down"),
      h(`span${fresh ? "" : ".sr"}`, { text: fresh ? `${count(fresh)} new` : "To the newest" }),
    );
}

async function toBottom(focus) {
  atBottom = true;
  fresh = 0;
  if (!chat.atEnd) await openChat(chat.to, chat.from);
  else draw();
  if (focus) log.focus({ preventScroll: true });
}

log.addEventListener(
  "scroll",
  () => {
    atBottom = nearBottom() && chat.atEnd;
    if (atBottom && fresh) fresh = 0;
    showPill();
  },
  { passive: true },
);

for (const [edge, load] of [
  [ui.top, () => chat.loadOlder()],
  [ui.end, () => chat.loadNewer()],
]) {
  let near = false;
  const more = () =>
    near &&
    load()
      .then(() => near && !chat.busy && setTimeout(more, 60))
      .catch(showError);
  new IntersectionObserver(
    (entries) => {
      const was = near;
      near = entries.at(-1).isIntersecting && (edge === ui.top ? !chat.atStart : !chat.atEnd);
      if (near && !was) more();
    },
    { root: log, rootMargin: "400px 0px" },
  ).observe(edge);
  on("chat-drawn", () => {
    if (edge === ui.top ? chat.atStart : chat.atEnd) near = false;
  });
}

async function openChat(to, from, around = 0) {
  ui.showNumbers(to, from);
  mark(to, from);
  wanted = around;
  atBottom = !around;
  fresh = 0;
  try {
    await chat.open(to, from, around);
  } catch (error) {
    showError(error);
  }
}

/** Finds what the address names: a message alone, a customer alone, or nothing at all. */
async function follow() {
  let { to, from, message } = route;
  try {
    if (message && !to) ({ to, from } = await getMessage(message));
    if (to && !from) from = (await listMessages({ to, limit: 1 })).items[0]?.from ?? "";
  } catch (error) {
    showError(error);
  }
  if (to && from) return chat.to === to && chat.from === from ? showMessage() : openChat(to, from, message);
  if (to) {
    chat.close();
    ui.showNumbers(to, "");
    mark("", "");
    draw();
    return undefined;
  }
  return openNewest();
}

/** Where nothing was chosen, a window with room shows the newest conversation. */
function openNewest() {
  const first = conversations.items[0];
  if (wide.matches && first && !chat.to) return openChat(first.to, first.from);
  if (!first) draw();
  return undefined;
}

function showMessage() {
  if (!route.message || drawn.has(route.message)) {
    markSelected();
    return undefined;
  }
  return openChat(chat.to, chat.from, route.message);
}

function select(message, inspect) {
  go(
    { to: chat.to, from: chat.from, message: message.id, pane: inspect ? "inspector" : route.pane },
    { replace: route.message > 0 && !inspect },
  );
}

function showDeliveries(message) {
  emit("show-tab", "deliveries");
  select(message, true);
}

async function choose(message, index) {
  if (message.tap || message.tapping !== undefined) return;
  chat.take([{ ...message, tapping: index }], atBottom);
  try {
    const { message: tapped, deliveries } = await tap(message.id, index);
    chat.take([tapped], atBottom);
    announce(`The customer answered ${oneLine(tapped.tap?.label ?? "", 100)}`);
    emit("delivered", deliveries);
  } catch (error) {
    showError(error);
    chat.take([message], atBottom);
    if (error.status === 409 || error.status === 404) await chat.mend(message.id).catch(() => {});
  }
}

/** The n-th button of the newest message that has not been answered; for the keyboard. */
export function tapNth(n) {
  const message = chat.untapped;
  if (!message) toast("There is no message to answer here.", "info");
  else if (n < message.buttons.length) choose(message, n);
}

function changed(change) {
  if (!chat.to && route.to && change.messages.some((message) => message.to === route.to)) follow();
  const news = chat.take(change.messages, atBottom);
  if (news) {
    flash = news < 5;
    if (!atBottom || !chat.atEnd) fresh += news;
    showPill();
  }
  if (change.more) reload();
  const newest = change.messages.findLast((message) => !message.tap);
  if (newest) announce(`New message to ${phoneNumber(newest.to)}: ${oneLine(newest.text, 120)}`);
}

export function startPhone() {
  on("change", changed);
  on("reload", reload);
  on("pushed", draw);
  on("reset", () => {
    // A customer whose chat is open stays: the next run of a program fills it anew.
    chat.close();
    draw();
    if (route.message) go({ message: 0, pane: route.to ? "chat" : "list" }, { replace: true });
    if (route.to) follow();
  });
  on("arranged", (list) => {
    if (list === conversations && !route.to && !route.message && !chat.to) openNewest();
  });
  on("route", ({ route: now, before }) => {
    if (now.to === before.to && now.from === before.from && now.message === before.message) return;
    if (!now.to && !now.message) chat.close();
    follow();
  });
  wide.addEventListener("change", () => !route.to && openNewest());
  ui.tick();
  follow();
}
