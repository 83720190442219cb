// One webhook delivery in full: its state, each attempt, what was pushed, and a button to replay it.

import { getDelivery, replay } from "./api.js";
import { emit } from "./bus.js";
import { copyButton, h, icon, iconButton } from "./dom.js";
import { clip, duration, fullTime, oneLine, timeWithSeconds } from "./format.js";
import { bodyBlock, jsonBlock, pretty } from "./json-view.js";
import { announce, showError } from "./toast.js";

export const STATES = {
  waiting: "Not pushed yet",
  delivered: "The webhook answered 2xx",
  failed: "Given up",
  dropped: "A fault kept it back",
  unset: "There was no webhook to push it to",
};

export const stateChip = (state) =>
  h("span.chip", { data: { state }, title: STATES[state] ?? "", text: state });

/** Pushes a delivery once more. */
export async function replayDelivery(id, button) {
  if (button) button.disabled = true;
  try {
    const delivery = await replay(id);
    announce(`Delivery ${id} is replayed as ${delivery.id}.`);
    emit("delivered", [delivery]);
  } catch (error) {
    showError(error);
  } finally {
    if (button) button.disabled = false;
  }
}

export function replayButton(id, { text = true } = {}) {
  const button = iconButton(
    "replay",
    text ? "Replay" : `Replay delivery ${id}`,
    () => replayDelivery(id, button),
    { text, cls: text ? "small" : "", "data-testid": "replay" },
  );
  return button;
}

function attemptRow(attempt, index) {
  const good = attempt.status >= 200 && attempt.status < 300;
  return h(
    "li.attempt",
    {},
    h(
      "div.attempt-line",
      {},
      h("span.nth", { text: `${index + 1}` }),
      h("b", { "data-good": String(good), text: attempt.status ?? "no answer" }),
      h("time", {
        datetime: attempt.time,
        title: fullTime(attempt.time),
        text: timeWithSeconds(attempt.time),
      }),
      h("span.took", { text: duration(attempt.seconds) }),
    ),
    attempt.error ? h("p.attempt-error", { dir: "auto", text: clip(attempt.error, 500) }) : null,
    attempt.body
      ? h("details", {}, h("summary", { text: "Answer" }), bodyBlock(attempt.body, "Answer of the webhook"))
      : null,
  );
}

function pushed(id) {
  const place = h("div.pushed");
  const details = h(
    "details",
    {},
    h(
      "summary",
      {},
      "What is pushed ",
      h("em.assumed", { title: "MultiWhats does not document how a choice is pushed.", text: "assumed" }),
    ),
    place,
  );
  details.addEventListener("toggle", async () => {
    if (!details.open || place.childElementCount) return;
    try {
      const { body } = await getDelivery(id);
      place.replaceChildren(
        h(
          "div.code-bar",
          {},
          copyButton(() => pretty(body)),
        ),
        jsonBlock(body, "Pushed JSON"),
      );
    } catch (error) {
      showError(error);
    }
  });
  return details;
}

/** @param {object} delivery  a DeliverySummary @param {{testid?: string, onMessage?: Function}} [options] */
export function deliveryCard(delivery, { testid = "delivery", onMessage } = {}) {
  const facts = [
    ["Choice", h("span", { dir: "auto", text: oneLine(delivery.label, 120) })],
    ["Target", h("span.mono", { text: delivery.url ?? "not set" })],
    delivery.replay_of ? ["Replay of", h("span", { text: `#${delivery.replay_of}` })] : null,
    delivery.fault ? ["Fault", h("span.mono", { text: delivery.fault })] : null,
    onMessage
      ? [
          "Message",
          h("button.link", { type: "button", text: `#${delivery.message_id}`, on: { click: onMessage } }),
        ]
      : null,
  ];
  return h(
    "article.delivery-card",
    { data: { testid, state: delivery.state, id: delivery.id }, "aria-label": `Delivery ${delivery.id}` },
    h(
      "header",
      {},
      stateChip(delivery.state),
      h("b", { text: `#${delivery.id}` }),
      h("time", {
        datetime: delivery.time,
        title: fullTime(delivery.time),
        text: timeWithSeconds(delivery.time),
      }),
      h("span.spring"),
      replayButton(delivery.id),
    ),
    h(
      "dl.facts",
      {},
      facts.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", {}, value))),
    ),
    delivery.attempts.length
      ? h("ol.attempts", { "aria-label": "Attempts" }, delivery.attempts.map(attemptRow))
      : h(
          "p.small.none",
          {},
          icon(delivery.state === "unset" ? "plug" : "deliveries"),
          STATES[delivery.state] ?? delivery.state,
        ),
    pushed(delivery.id),
  );
}
