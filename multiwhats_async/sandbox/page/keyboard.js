// Shortcuts: none fires while one types, in a dialog, or with Ctrl, Alt or Meta held.

import { step } from "./conversations.js";
import { openDialog } from "./dialog.js";
import { $, h } from "./dom.js";
import { tapNth } from "./phone.js";
import { back, go, route } from "./route.js";

const SHORTCUTS = [
  [["/"], "Search"],
  [["j", "↓"], "Next conversation"],
  [["k", "↑"], "Conversation before"],
  [["1", "…", "9"], "Tap that button of the newest message not yet answered"],
  [["Esc"], "Close, clear the search, go back"],
  [["?"], "This list"],
];

export function showShortcuts() {
  openDialog({
    title: "Keyboard shortcuts",
    body: h(
      "dl.shortcuts",
      {},
      SHORTCUTS.map(([keys, text]) =>
        h(
          "div",
          {},
          h(
            "dt",
            {},
            keys.map((key) => (key === "…" ? h("span", { text: key }) : h("kbd", { text: key }))),
          ),
          h("dd", { text }),
        ),
      ),
    ),
  });
}

const typing = (el) => el.closest?.("input, textarea, select, [contenteditable]");

function escape() {
  const search = $("#search");
  if (document.activeElement === search) {
    if (search.value) {
      search.value = "";
      go({ q: "" }, { replace: true });
    } else search.blur();
  } else if (route.view !== "phone") go({ view: "phone" });
  else if (route.pane === "inspector") back({ pane: "chat" });
  else if (route.message) go({ message: 0 }, { replace: true });
  else if (route.pane === "chat" && !matchMedia("(min-width: 700px)").matches)
    back({ to: "", from: "", pane: "list" });
}

/** Arrow keys scroll where the focus is in something that scrolls or has its own use of them. */
const ownArrows = (el) => el.closest?.(".log, pre, [role=tablist], .tab-panel, .detail, .connect-place");

function press(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (key === "Escape") {
    escape();
    return;
  }
  if (typing(target)) return;
  const phone = route.view === "phone";
  if (key === "?") showShortcuts();
  else if (key === "/") {
    if (!phone) go({ view: "phone" });
    if (route.pane !== "list" && !matchMedia("(min-width: 700px)").matches) go({ pane: "list" });
    $("#search").focus();
    $("#search").select();
  } else if (!phone) return;
  else if (key === "j" || (key === "ArrowDown" && !ownArrows(target))) step(1);
  else if (key === "k" || (key === "ArrowUp" && !ownArrows(target))) step(-1);
  else if (/^[1-9]$/.test(key)) tapNth(Number(key) - 1);
  else return;
  event.preventDefault();
}

export const startKeyboard = () => addEventListener("keydown", press);
