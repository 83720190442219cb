// How a program is pointed at this sandbox: the two exports and a first message to send.

import { getInfo } from "./api.js";
import { copyButton, h, icon } from "./dom.js";
import { count } from "./format.js";
import { openDialog } from "./dialog.js";
import { codeBlock } from "./json-view.js";
import { exportLine, FIRST_SEND } from "./snippets.js";

let info = null;

/** What the sandbox says of itself; asked once, since it does not change. */
export async function sandboxInfo() {
  info ??= getInfo().catch((error) => {
    info = null;
    throw error;
  });
  return info;
}

function copyLine(text) {
  return h(
    "div.copy-line",
    {},
    h("code", { text }),
    copyButton(() => text, "Copy", { iconOnly: true }),
  );
}

export function connectPanel() {
  const lines = h("div.lines", {}, h("p.small.none", { text: "Asks the sandbox…" }));
  const about = h("p.small");
  const fill = () =>
    sandboxInfo().then(
      ({ base_url: url, api_key: key, keep, version }) => {
        const exports = [
          exportLine("MULTIWHATS_BASE_URL", url),
          exportLine("MULTIWHATS_API_KEY", key ?? "your-key"),
        ];
        lines.replaceChildren(...exports.map(copyLine));
        about.textContent = `Version ${version}. The newest ${count(keep)} messages are kept, in memory of the sandbox alone.${key ? "" : " It was started with keys of its own: use one of those."}`;
      },
      () => setTimeout(fill, 2000),
    );
  fill();
  return h(
    "div.connect",
    {},
    h("h2", {}, icon("plug"), "How to connect"),
    h("p", {
      text: "Nothing sent here reaches a person or costs a credit. Point your program at this sandbox:",
    }),
    h("h3", { text: "1. In its environment" }),
    lines,
    h("h3", { text: "2. Send a first message" }),
    h(
      "div.boxed",
      {},
      h(
        "div.code-bar",
        {},
        h("span", { text: "Python" }),
        copyButton(() => FIRST_SEND),
      ),
      codeBlock(FIRST_SEND, { label: "Python example" }),
    ),
    h("h3", { text: "3. Tap a button on the phone" }),
    h("p", { text: "The choice is pushed to your webhook, if one is set, and your program can answer." }),
    about,
  );
}

export const showConnect = () =>
  openDialog({ title: "", label: "How to connect", body: connectPanel(), cls: "wide" });
