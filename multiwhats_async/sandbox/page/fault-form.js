// The form that builds a fault, and shows it as the text that the command line takes.

import { addFault } from "./api.js";
import { copyButton, h } from "./dom.js";
import { showError } from "./toast.js";

const STATUS_KINDS = {
  429: "too many requests",
  503: "busy",
  500: "the server failed",
  401: "the key is not known",
  402: "no credit left",
};
const SECONDS = { latency: "Seconds of delay", slow_drip: "Seconds between pieces" };
const WHEN = [
  ["", "every time"],
  ["every", "every n-th time"],
  ["nth", "the n-th time only"],
  ["p", "by chance"],
];
const HINT = { every: "50", nth: "7", p: "0.1" };

const field = (label, control, { wide = false } = {}) =>
  h(`label.field${wide ? ".wide" : ""}`, {}, h("span", { text: label }), control);
const numberInput = (extra = {}) =>
  h("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: 8, ...extra });

/** @param {(faults: object) => void} added */
export function faultForm(added) {
  const kind = h("select", { name: "kind", "data-testid": "fault-kind" });
  const about = h("p.note", { id: "fault-about" });
  const status = numberInput({ inputmode: "numeric", maxlength: 3, placeholder: "418" });
  const seconds = numberInput({ placeholder: "0.5" });
  const secondsLabel = field("Seconds", seconds);
  const statusLabel = field("Status, 400 to 599", status);
  const when = h(
    "select",
    { name: "when" },
    WHEN.map(([value, text]) => h("option", { value, text })),
  );
  const amount = numberInput();
  const amountLabel = field("n", amount);
  const to = h("input", { type: "text", inputmode: "tel", placeholder: "any", autocomplete: "off" });
  const times = numberInput({ inputmode: "numeric", placeholder: "no end" });
  const text = h("code", { data: { testid: "fault-text" } });
  const problem = h("p.problem", { role: "alert" });
  const submit = h("button.btn.primary", {
    type: "submit",
    text: "Add the fault",
    "data-testid": "fault-add",
  });
  let kinds = {};

  const isStatus = () => /^\d+$/.test(kind.value) || kind.value === "status";

  function build() {
    const name = kind.value === "status" ? status.value.trim() || "500" : kind.value;
    const value = secondsLabel.hidden ? "" : seconds.value.trim().replace(",", ".");
    const selectors = [];
    if (when.value)
      selectors.push(`${when.value}:${amount.value.trim().replace(",", ".") || HINT[when.value]}`);
    if (to.value.trim() && !to.disabled) selectors.push(`to:${to.value.replace(/[^\d]/g, "")}`);
    if (times.value.trim()) selectors.push(`times:${times.value.trim()}`);
    const needs = !value && /by so many seconds/.test(kinds[kind.value] ?? "") ? "0.5" : value; // It cannot do without.
    return `${name}${needs ? `=${needs}` : ""}${selectors.length ? `@${selectors.join(",")}` : ""}`;
  }

  function show() {
    const name = kind.value;
    about.textContent = isStatus()
      ? "Answered at once; not processed. Its seconds are the Retry-After header."
      : (kinds[name] ?? "");
    statusLabel.hidden = name !== "status";
    // Which kinds take seconds is known here for today's; of a new one, its explanation tells.
    secondsLabel.hidden = !(isStatus() || name in SECONDS || /seconds/.test(kinds[name] ?? ""));
    secondsLabel.firstElementChild.textContent = isStatus()
      ? "Retry-After, seconds"
      : (SECONDS[name] ?? "Seconds");
    seconds.placeholder = isStatus() ? "none" : "0.5";
    amountLabel.hidden = !when.value;
    amountLabel.firstElementChild.textContent = when.value === "p" ? "Probability, 0 to 1" : "n";
    amount.placeholder = HINT[when.value] ?? "";
    to.disabled = name === "refuse";
    text.textContent = build();
  }

  async function add(event) {
    event.preventDefault();
    submit.disabled = true;
    problem.textContent = "";
    try {
      added(await addFault(build()));
      for (const input of [seconds, amount, to, times]) input.value = "";
      show();
    } catch (error) {
      problem.textContent = error.message;
      showError(error);
    } finally {
      submit.disabled = false;
    }
  }

  const form = h(
    "form.form.card-box",
    { novalidate: true, "aria-label": "Add a fault", on: { submit: add, input: show, change: show } },
    h("h3", { text: "Add a fault" }),
    field("What goes wrong", kind, { wide: true }),
    about,
    h(
      "div.fields",
      {},
      statusLabel,
      secondsLabel,
      field("When", when),
      amountLabel,
      field("Only to this number", to),
      field("At most so many times", times),
    ),
    h(
      "div.fault-text",
      {},
      h("span", { text: "As on the command line" }),
      text,
      copyButton(() => `--fault ${build()}`, "Copy", { iconOnly: true }),
    ),
    problem,
    h("div.form-end", {}, submit),
  );

  return {
    form,
    setKinds(next) {
      if (Object.keys(kinds).join() === Object.keys(next).join() && kind.options.length) return;
      kinds = next;
      const chosen = kind.value;
      const option = (value, label) => h("option", { value, text: label });
      kind.replaceChildren(
        h(
          "optgroup",
          { label: "A status" },
          Object.entries(STATUS_KINDS).map(([value, words]) => option(value, `${value}: ${words}`)),
          option("status", "another status…"),
        ),
        h(
          "optgroup",
          { label: "Something else" },
          Object.keys(kinds).map((name) => option(name, name)),
        ),
      );
      kind.value = chosen || "429";
      show();
    },
  };
}
