// Where choices are pushed: a line below the conversations, and a dialog to change it.

import { getWebhook, setWebhook } from "./api.js";
import { on } from "./bus.js";
import { $, h, icon, iconButton, reloader } from "./dom.js";
import { openDialog } from "./dialog.js";
import { showError, toast } from "./toast.js";

const ITEM_IDS = {
  label: "the button's text",
  index_from_0: "its number, counted from 0",
  index_from_1: "its number, counted from 1",
};
const host = $("#hook");
let webhook = null;

function show() {
  host.replaceChildren(
    icon("plug"),
    h(
      "div.hook-words",
      {},
      h("span", { text: "Choices are pushed to" }),
      h(`b${webhook?.url ? ".mono" : ".unset"}`, {
        text: webhook?.url ?? "not set",
        title: webhook?.url ?? "No webhook is set",
        data: { testid: "webhook" },
      }),
    ),
    iconButton("edit", "Change the webhook", edit, { "data-testid": "webhook-edit" }),
  );
}

const assumed = () => h("em.assumed", { text: "assumed" });

function edit() {
  if (!webhook) return;
  const url = h("input", {
    type: "url",
    id: "hook-url",
    maxlength: 2000,
    placeholder: "http://127.0.0.1:8000/replies",
    value: webhook.url ?? "",
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "hook-note hook-error",
  });
  const problem = h("p.problem", { id: "hook-error", role: "alert" });
  const itemId = h(
    "select",
    { id: "hook-item" },
    Object.entries(ITEM_IDS).map(([value, text]) =>
      h("option", { value, text, selected: value === webhook.item_id }),
    ),
  );
  itemId.value = webhook.item_id;
  const save = h("button.btn.primary", { type: "submit", text: "Save" });
  const off = h("button.btn", {
    type: "button",
    text: "Switch off",
    hidden: !webhook.url,
    on: { click: () => put(null) },
  });
  const masked = (webhook.url ?? "").includes("****");
  const form = h(
    "form.form",
    {
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          put(url.value.trim() || null);
        },
      },
    },
    h("label", { for: "hook-url", text: "URL of your program" }),
    url,
    h("p.note", {
      id: "hook-note",
      text: masked
        ? "Secrets in it are masked; left as it is, it keeps them."
        : "On this machine, unless the sandbox was started otherwise.",
    }),
    h("label", { for: "hook-item" }, "selectedItemId holds ", assumed()),
    itemId,
    webhook.template
      ? h("p.note", { text: "The JSON that is pushed has the shape of your template file." })
      : null,
    h(
      "p.note.callout",
      {},
      icon("warn"),
      h("span", {
        text: "MultiWhats does not document how a choice is pushed. The sandbox pushes the documented record with extra_data.selectedItemId filled in; that is assumed. Check it against a payload of your own account.",
      }),
    ),
    problem,
    h("div.dialog-foot", {}, off, h("span.spring"), save),
  );
  const dialog = openDialog({ title: "Webhook", body: form });
  url.focus();
  url.select();

  async function put(target) {
    save.disabled = true;
    problem.textContent = "";
    try {
      webhook = await setWebhook({ url: target, item_id: itemId.value });
      show();
      toast(webhook.url ? "The webhook is set." : "The webhook is off.", "info");
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      showError(error);
    } finally {
      save.disabled = false;
    }
  }
}

const load = async () => {
  webhook = await getWebhook();
  show();
};

export function startWebhook() {
  show();
  const reload = reloader(load, 250);
  load().catch(showError);
  on("change", (change) => (change.settings || change.reset) && reload());
  on("reload", reload);
}
