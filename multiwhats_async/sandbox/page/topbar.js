// The bar on top: views, counters, whether the page is live, and the tools.

import { reset } from "./api.js";
import { emit, on } from "./bus.js";
import { showConnect } from "./connect.js";
import { confirmed } from "./dialog.js";
import { $, byTestId, h, icon, iconButton, setText } from "./dom.js";
import { count } from "./format.js";
import { showShortcuts } from "./keyboard.js";
import { address, go, route } from "./route.js";
import { themeButton } from "./theme.js";
import { announce, showError, toast } from "./toast.js";

const VIEWS = [
  ["phone", "Phone"],
  ["deliveries", "Deliveries"],
  ["faults", "Faults"],
  ["refused", "Refused"],
];
const WORDS = { live: "Live", connecting: "Reconnecting", offline: "No answer, retrying" };
const nav = $("#nav");
const connection = byTestId("connection");
let revision = -1;

function buildNav() {
  for (const [view, label] of VIEWS) {
    nav.append(
      h(
        "a.nav-item",
        {
          href: address({ view }),
          data: { view, testid: `nav-${view}` },
          on: {
            click: (event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              go({ view });
            },
          },
        },
        icon(view),
        h("span", { text: label }),
      ),
    );
  }
}

function markNav() {
  for (const link of nav.children) {
    if (link.dataset.view === route.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

export function showStats({ accepted, credits, sent_twice: twice }) {
  for (const [id, value] of [
    ["stats-accepted", accepted],
    ["stats-credits", credits],
    ["stats-twice", twice],
  ]) {
    setText(byTestId(id), count(value));
  }
  $("#twice").classList.toggle("alarm", twice > 0);
}

function showConnection(state) {
  connection.dataset.state = state;
  setText(connection.lastElementChild, WORDS[state]);
}

async function askReset() {
  const sure = await confirmed({
    title: "Reset the sandbox?",
    yes: "Reset",
    text: "All messages, deliveries and counters are forgotten, and the faults begin anew. Faults and webhook stay.",
  });
  if (!sure) return;
  try {
    await reset();
    emit("reset");
    announce("The sandbox is reset.");
    toast("The sandbox is reset.", "info");
  } catch (error) {
    showError(error);
  }
}

export function startTopbar() {
  buildNav();
  markNav();
  $("#tools").append(
    iconButton("plug", "How to connect", showConnect, { "data-testid": "connect" }),
    themeButton(),
    iconButton("help", "Keyboard shortcuts", showShortcuts, { "aria-keyshortcuts": "?" }),
    iconButton("reset", "Reset the sandbox", askReset, { "data-testid": "reset" }),
  );
  on("connect", showConnect);
  on("connection", showConnection);
  on("route", markNav);
  on("change", (change) => {
    const restarted = change.revision < revision;
    revision = change.revision;
    showStats(change.stats);
    if (change.reset || restarted) {
      emit("reset");
      emit("reload");
    }
  });
}

/** Counters asked for may be older than those of a change that came meanwhile. */
export const revisionSeen = () => revision;
