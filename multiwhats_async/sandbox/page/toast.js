// Short notices: a toast for what failed or was done, and a spoken one for what came in.

import { $, h, iconButton } from "./dom.js";
import { clip } from "./format.js";

const MOST = 3;
const host = $("#toasts");
const announcer = $("#announcer");

/** @param {string} message @param {"error"|"info"} [kind] */
export function toast(message, kind = "error") {
  while (host.children.length >= MOST) host.firstElementChild.remove();
  const box = h(
    "div.toast",
    { data: { testid: "toast", kind } },
    h("p", { dir: "auto", text: clip(String(message), 500) }),
    iconButton("close", "Close this notice", () => box.remove()),
  );
  host.append(box);
  if (host.showPopover) {
    host.popover = "manual"; // Above an open dialog.
    host.hidePopover();
    host.showPopover();
  }
  setTimeout(() => box.remove(), kind === "error" ? 8000 : 3500);
}

/** Shows why a call failed. */
export const showError = (error) => toast(error?.message ?? String(error));

let waiting = "";
let timer = 0;
let last = 0;

/** Says something to a screen reader: at most one sentence in two seconds, the newest wins. */
export function announce(sentence) {
  waiting = sentence;
  if (timer) return;
  timer = setTimeout(
    () => {
      timer = 0;
      last = Date.now();
      announcer.textContent = waiting;
    },
    Math.max(150, last + 2000 - Date.now()),
  );
}
