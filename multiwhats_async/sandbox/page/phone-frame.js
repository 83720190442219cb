// What stands around the messages: the frame, the status bar, the header, the composer.

import { $, copyButton, h, icon, iconButton } from "./dom.js";
import { hueOf, phoneNumber, timeOfDay } from "./format.js";
import { address, back, go, route } from "./route.js";

/** Builds it into its pane. @param {{onPill: () => void}} handlers */
export function buildPhone({ onPill }) {
  const clock = h("span.clock");
  const number = h("b.number", { text: "No conversation" });
  const kind = h("span.kind", { text: "Business account" });
  const customer = h("span.kind.customer");
  const avatar = h("span.avatar.business", { "aria-hidden": "true" }, icon("shop"));
  const top = h("div.edge");
  const end = h("div.edge");
  const list = h("ol.turns");
  const hint = h("p.chat-hint", { hidden: true });
  const log = h(
    "div.log",
    { role: "log", "aria-live": "off", "aria-label": "Messages", tabindex: 0 },
    top,
    list,
    hint,
    end,
  );
  const pill = h("button.to-bottom", {
    type: "button",
    hidden: true,
    data: { testid: "chat-pill" },
    on: { click: onPill },
  });
  const backButton = iconButton(
    "back",
    "Back to the conversations",
    () => back({ to: "", from: "", message: 0, pane: "list" }),
    { cls: "chat-back" },
  );
  const details = iconButton("code", "Inspect", () => go({ pane: "inspector" }), { cls: "chat-details" });
  const whose = h("span.whose");
  const link = copyButton(
    () =>
      new URL(
        address({ to: route.to || current.to, from: route.from || current.from, message: route.message }),
        location.origin,
      ).href,
    "Copy the link to this chat",
    { iconOnly: true },
  );
  const current = { to: "", from: "" };

  const screen = h(
    "div.screen",
    {},
    h(
      "div.status-bar",
      { "aria-hidden": "true" },
      clock,
      h("span.island"),
      h("span.signal", {}, h("i"), h("i"), h("i"), h("i"), h("em")),
    ),
    h("div.chat-head", {}, backButton, avatar, h("div.title", {}, number, kind, customer), details),
    h("div.chat-body", {}, log, pill),
    h("div.composer", {}, h("span", {}, icon("lock"), "Customers answer by tapping")),
    h("div.home", { "aria-hidden": "true" }),
  );
  $("#chat-pane").append(h("div.whose-line", {}, icon("person"), whose, link), h("div.device", {}, screen));

  const tick = () => {
    clock.textContent = timeOfDay(Date.now());
    setTimeout(tick, 60_000 - (Date.now() % 60_000));
  };

  return {
    log,
    list,
    pill,
    top,
    end,
    clock,
    tick,
    showNumbers(to, from) {
      Object.assign(current, { to, from });
      number.textContent = from ? phoneNumber(from) : "No conversation";
      avatar.style.setProperty("--hue", String(hueOf(from || "0")));
      customer.textContent = to ? `Customer ${phoneNumber(to)}` : "";
      whose.textContent = to ? phoneNumber(to) : "";
      document.title = to ? `${phoneNumber(to)} · MultiWhats sandbox` : "MultiWhats sandbox";
    },
    showState(chat, isOpen) {
      const empty = !chat.items.length;
      hint.hidden = !empty;
      if (empty)
        hint.textContent = route.to
          ? `Waits for the first message to ${phoneNumber(route.to)}.`
          : "Messages appear here as your program sends them.";
      if (!isOpen && !route.to) this.showNumbers("", "");
      $("#chat-pane").classList.toggle("no-chat", !isOpen && !route.to);
      top.classList.toggle("busy", !chat.atStart);
      end.classList.toggle("busy", !chat.atEnd);
    },
  };
}
