// One message as the phone shows it: text, reply buttons, badges, and the customer's answer.

import { h, icon } from "./dom.js";
import { pushOf } from "./pushes.js";
import { clip, faultWords, fullTime, oneLine, phoneNumber, timeOfDay } from "./format.js";

const TEXT_SHOWN = 1100;
const LINES_SHOWN = 24;
const BUTTONS_SHOWN = 10;
const LABEL_SHOWN = 200;
const ADVICE_SHOWN = 3;

/** What the user has unfolded, by message: it survives a new drawing. Bounded. */
const unfolded = new Set();

function unfold(id, part) {
  if (unfolded.size > 500) unfolded.clear();
  unfolded.add(`${part}${id}`);
}

function shortened(text) {
  let short = clip(text, TEXT_SHOWN);
  const lines = short.split("\n");
  if (lines.length > LINES_SHOWN) short = lines.slice(0, LINES_SHOWN).join("\n");
  return short;
}

function textPart(message) {
  const text = h("p.text", { dir: "auto" });
  const short = shortened(message.text);
  if (short.length === message.text.length || unfolded.has(`t${message.id}`)) {
    text.textContent = message.text;
    return text;
  }
  text.textContent = `${short}…`;
  const more = h("button.more", {
    type: "button",
    text: `Show more (${(message.text.length - short.length).toLocaleString()} characters)`,
    on: {
      click: () => {
        unfold(message.id, "t");
        text.textContent = message.text;
        text.tabIndex = -1;
        text.focus({ preventScroll: true });
        more.remove();
      },
    },
  });
  return [text, more];
}

function optionRow(message, label, index, onTap) {
  const { tap } = message;
  const chosen = tap?.index === index;
  const waits = message.tapping === index;
  const locked = Boolean(tap) || message.tapping !== undefined;
  const state = chosen ? "chosen" : waits ? "waits" : "";
  return h(
    `button.option${state ? `.${state}` : ""}`,
    {
      type: "button",
      disabled: locked,
      title: label.length > LABEL_SHOWN ? null : index < 9 && !locked ? `Tap (key ${index + 1})` : null,
      "aria-pressed": chosen ? "true" : null,
      data: { testid: "button", index },
      on: { click: () => onTap(message, index) },
    },
    icon(chosen ? "done" : "reply"),
    h("span", { dir: "auto", text: clip(label, LABEL_SHOWN) + (label.length > LABEL_SHOWN ? "…" : "") }),
  );
}

function optionsPart(message, onTap) {
  if (!message.buttons.length) return null;
  const all = unfolded.has(`b${message.id}`) || message.buttons.length <= BUTTONS_SHOWN + 1;
  const shown = message.buttons
    .map((label, index) => ({ label, index }))
    .filter(({ index }) => all || index < BUTTONS_SHOWN || index === message.tap?.index);
  const host = h(
    "div.options",
    { role: "group", "aria-label": "Reply buttons" },
    shown.map(({ label, index }) => optionRow(message, label, index, onTap)),
  );
  if (!all) {
    const more = h(
      "button.option.all",
      {
        type: "button",
        on: {
          click: () => {
            unfold(message.id, "b");
            host.replaceWith(optionsPart(message, onTap));
          },
        },
      },
      icon("down"),
      h("span", { text: `See all ${message.buttons.length} buttons` }),
    );
    host.append(more);
  }
  return host;
}

function badges(message) {
  const list = [];
  if (message.fault) {
    list.push(
      h(
        "p.badge-line.fault",
        {
          data: { testid: "fault-badge" },
          title: "What a fault of this sandbox did to the answer; the message was accepted.",
        },
        icon("faults"),
        h("span", { text: `${faultWords(message.fault)}: ${message.fault}` }),
      ),
    );
  }
  if (message.advice.length) {
    const rest = message.advice.length - ADVICE_SHOWN;
    list.push(
      h(
        "div.badge-line.advice",
        { data: { testid: "advice" }, title: "The sandbox accepts it; WhatsApp may not." },
        icon("warn"),
        h(
          "ul",
          {},
          message.advice.slice(0, ADVICE_SHOWN).map((line) => h("li", { dir: "auto", text: line })),
          rest > 0 ? h("li", { text: `and ${rest} more` }) : null,
        ),
      ),
    );
  }
  return list;
}

const PUSH_WORDS = {
  waiting: "on its way to your webhook",
  delivered: "webhook answered",
  failed: "webhook failed",
  dropped: "kept back by a fault",
  unset: "no webhook set",
};
const PUSH_ICONS = { delivered: "done", failed: "close", dropped: "faults", unset: "plug" };

function pushLine(message, onPush) {
  const push = message.tap && pushOf(message.id);
  if (!push) return null;
  const status = push.attempts.at(-1)?.status;
  return h(
    "button.push",
    {
      type: "button",
      title: "See its deliveries",
      data: { testid: "push", state: push.state },
      on: { click: () => onPush(message) },
    },
    icon(PUSH_ICONS[push.state] ?? "deliveries"),
    `${PUSH_WORDS[push.state] ?? push.state}${status ? ` ${status}` : ""}`,
  );
}

function replyPart(message) {
  if (!message.tap) return null;
  return h(
    "div.bubble.reply",
    { data: { testid: "reply" }, role: "group", "aria-label": "The customer's reply" },
    h(
      "div.quote",
      {},
      h("b", { text: phoneNumber(message.from) }),
      h("span", { dir: "auto", text: oneLine(message.text, 140) || "(no text)" }),
    ),
    h("p.text", { dir: "auto", text: clip(message.tap.label, 1000) }),
    h(
      "span.meta",
      {},
      h("time", {
        datetime: message.tap.time,
        title: fullTime(message.tap.time),
        text: timeOfDay(message.tap.time),
      }),
      icon("ticks", "seen"),
    ),
  );
}

/**
 * @param {object} message  a MessageSummary; `tapping` is the index of a tap under way
 * @param {{onTap: Function, onSelect: Function, onPush: Function}} handlers
 * @returns {HTMLElement} the content of its place in the chat
 */
export function bubble(message, { onTap, onSelect, onPush }) {
  const card = h(
    "div.bubble.card",
    {},
    h(
      "div.words",
      {},
      textPart(message),
      h(
        "span.meta",
        {},
        h("time", { datetime: message.time, title: fullTime(message.time), text: timeOfDay(message.time) }),
        icon("ticks", message.tap ? "seen" : ""),
      ),
    ),
    optionsPart(message, onTap),
  );
  card.addEventListener("click", (event) => {
    if (event.target.closest("button") || String(getSelection())) return;
    onSelect(message, false);
  });
  const inspect = h(
    "button.inspect",
    {
      type: "button",
      title: `Inspect message ${message.id}`,
      "aria-label": `Inspect message ${message.id}`,
      on: { click: () => onSelect(message, true) },
    },
    icon("code"),
  );
  return h(
    "div.turn",
    {},
    h("div.incoming", {}, card, inspect),
    badges(message),
    replyPart(message),
    pushLine(message, onPush),
  );
}
