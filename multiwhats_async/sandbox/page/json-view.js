// JSON for reading: indented and coloured, as text nodes; what is very long is folded.

import { h } from "./dom.js";
import { clip } from "./format.js";

const SHOWN = 12_000;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|\b(true|false|null)\b/g;

export const pretty = (value) => JSON.stringify(value, null, 2) ?? String(value);

function coloured(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    nodes.push(text.slice(at, match.index));
    const [, string, colon, number] = match;
    if (string) nodes.push(h(colon ? "span.j-key" : "span.j-string", { text: string }), colon ?? "");
    else nodes.push(h(number ? "span.j-number" : "span.j-word", { text: match[0] }));
    at = match.index + match[0].length;
  }
  nodes.push(text.slice(at));
  return nodes;
}

/** A block of code; `json` colours it. */
export function codeBlock(text, { json = false, label = "" } = {}) {
  const shown = clip(text, SHOWN);
  const code = h("code", { dir: "ltr" }, json ? coloured(shown) : shown);
  // A program is easier to read with its own lines, as long as they are of a usual length.
  const kept = !json && shown.split("\n").every((line) => line.length < 110);
  const pre = h(
    `pre.code${kept ? ".lines-kept" : ""}`,
    { tabindex: 0, role: label ? "region" : null, "aria-label": label || null },
    code,
  );
  if (shown.length === text.length) return pre;
  const more = h("button.more", {
    type: "button",
    text: `Show all ${text.length.toLocaleString()} characters`,
    on: {
      click: () => {
        code.textContent = text;
        more.remove();
      },
    },
  });
  return h("div.folded", {}, pre, more);
}

export const jsonBlock = (value, label = "") => codeBlock(pretty(value), { json: true, label });

/** A body as it was sent: coloured where it is whole JSON. */
export function bodyBlock(text, label = "") {
  if (!text) return h("p.small.none", { text: "Empty body." });
  try {
    return jsonBlock(JSON.parse(text), label);
  } catch {
    return codeBlock(text, { label });
  }
}
