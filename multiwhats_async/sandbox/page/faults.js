// The view of faults: what goes wrong now and how often it struck, a form to add one, magic numbers.

import { clearFaults, getFaults } from "./api.js";
import { on } from "./bus.js";
import { $, h, icon, iconButton, reloader } from "./dom.js";
import { faultForm } from "./fault-form.js";
import { count } from "./format.js";
import { showError, toast } from "./toast.js";

const host = $("#faults");
const list = h("div.fault-list");
const magic = h("section.card-box");
const seed = h("span.seed");
const clear = iconButton("close", "Clear all", clearAll, {
  text: true,
  cls: "small",
  "data-testid": "faults-clear",
});
const form = faultForm(show);

function share({ seen, struck }) {
  const bar = h("i.bar", { "aria-hidden": "true" }, h("i"));
  bar.firstElementChild.style.width = `${seen ? Math.max(struck ? 2 : 0, (100 * struck) / seen) : 0}%`;
  return bar;
}

function faultRow(fault) {
  return h(
    "li.fault-row",
    { data: { testid: "fault" } },
    h("code", { text: fault.text }),
    share(fault),
    h("span", {}, h("b", { text: count(fault.struck) }), ` of ${count(fault.seen)} struck`),
  );
}

function show({ items, kinds, magic_numbers: numbers, seed: dice }) {
  form.setKinds(kinds);
  clear.hidden = !items.length;
  seed.textContent = `Seed ${dice}`;
  list.replaceChildren(
    items.length
      ? h("ol.fault-rows", { "aria-label": "Faults, in order" }, items.map(faultRow))
      : h(
          "div.hint",
          {},
          icon("done"),
          h("p", { text: "Nothing goes wrong." }),
          h("p.small", { text: "Add a fault, and see what your program makes of it." }),
        ),
  );
  const rows = Object.entries(numbers);
  magic.replaceChildren(
    h("h3", { text: "Magic numbers" }),
    ...(rows.length
      ? [
          h("p.note", { text: "A message to a number that ends so always meets its fault." }),
          h(
            "table.magic",
            {},
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                h("th", { scope: "col", text: "Ends with" }),
                h("th", { scope: "col", text: "Fault" }),
              ),
            ),
            h(
              "tbody",
              {},
              rows.map(([digits, fault]) =>
                h(
                  "tr",
                  {},
                  h("td", {}, h("code", { text: `…${digits}` })),
                  h("td", {}, h("code", { text: fault })),
                ),
              ),
            ),
          ),
        ]
      : [
          h("p.note", {
            text: "They are off. Start the sandbox with this, and recipients such as …0429 or …0500 always meet their fault:",
          }),
          h("code.command", { text: "multiwhats sandbox --magic-numbers" }),
        ]),
  );
}

async function clearAll() {
  try {
    await clearFaults();
    await load();
    toast("All faults are cleared.", "info");
  } catch (error) {
    showError(error);
  }
}

const load = async () => show(await getFaults());
const reload = reloader(load, 400);
let started = false;

host.append(
  h(
    "div.faults-page",
    {},
    h(
      "header.view-head",
      {},
      h("h2", { text: "Faults" }),
      h("p", {
        text: "What goes wrong on purpose. Of the faults that strike a request, the first one wins.",
      }),
    ),
    h(
      "div.faults-grid",
      {},
      h(
        "div.column",
        {},
        h(
          "section.card-box",
          {},
          h("div.box-head", {}, h("h3", { text: "Now" }), seed, h("span.spring"), clear),
          list,
        ),
        magic,
      ),
      form.form,
    ),
  ),
);

/** Nothing is loaded before the view is first shown. */
export function startFaults() {
  if (started) return;
  started = true;
  load().catch(showError);
  // Requests that are refused or dropped count too: each change may be a strike.
  on("change", () => !host.hidden && reload());
  on("reload", reload);
  on("route", reload);
}
