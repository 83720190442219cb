// The view of requests whose message was not accepted, and of those that a fault struck first.

import { listRefusals } from "./api.js";
import { $, copyButton, h, setText } from "./dom.js";
import { fullTime, phoneNumber, timeWithSeconds } from "./format.js";
import { bodyBlock } from "./json-view.js";
import { LedgerView } from "./ledger-view.js";

const statusText = (status) => (status ? String(status) : "no answer");

function create(choose) {
  return h(
    "div.ledger-row",
    { data: { testid: "refusal" } },
    h(
      "button.main",
      { type: "button", on: { click: (event) => choose(event.currentTarget) } },
      h("span.chip-place", {}, h("span.chip")),
      h("span.first.mono"),
      h("span.second"),
      h("time"),
      h("span.result"),
    ),
  );
}

function fill(el, item) {
  const [chip, first, second, time, outcome] = el.firstElementChild.children;
  chip.firstElementChild.dataset.state = item.status >= 500 || !item.status ? "failed" : "refused";
  setText(chip.firstElementChild, statusText(item.status));
  setText(first, `${item.method} ${item.path}`);
  setText(second, item.to ? `to ${phoneNumber(item.to)}` : "recipient not read");
  setText(time, timeWithSeconds(item.time));
  time.title = fullTime(item.time);
  setText(outcome, item.fault ? `fault ${item.fault}` : "");
}

function part(name, text) {
  return h(
    "section.part",
    {},
    h(
      "div.code-bar",
      {},
      h("h3", { text: name }),
      copyButton(() => text),
    ),
    bodyBlock(text, name),
  );
}

function detail(item) {
  const facts = [
    ["Status", item.status ? String(item.status) : "nothing was answered"],
    ["Recipient", item.to ? phoneNumber(item.to) : "could not be read"],
    ["Fault", item.fault ?? "none struck"],
    ["Time", fullTime(item.time)],
  ];
  return h(
    "article.delivery-card",
    {},
    h("header", {}, h("b.mono", { text: `${item.method} ${item.path}` })),
    h(
      "dl.facts",
      {},
      facts.map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value }))),
    ),
    part("Request", item.request),
    part("Response", item.response),
  );
}

export const refusedView = new LedgerView({
  host: $("#refused"),
  title: "Refused",
  kind: "refusals",
  about: "Requests whose message was not accepted: nothing was sent, nothing was charged.",
  rows: { create, fill },
  fetchPage: listRefusals,
  detail,
  blank: {
    icon: "refused",
    title: "Nothing was refused",
    text: "A wrong key, a bad body or a fault would show here, with what was answered.",
  },
});
