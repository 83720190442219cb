// Modal dialogs on <dialog>: it traps the focus, closes by Escape, and gives the focus back.

import { h, iconButton } from "./dom.js";

/**
 * @param {{title: string, label?: string, body: Node|Node[], actions?: Node[], cls?: string}} options
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, label, body, actions = [], cls = "" }) {
  document.querySelector("dialog[open]")?.close();
  const from = document.activeElement;
  const dialog = h(`dialog.dialog${cls ? `.${cls}` : ""}`, { "aria-label": label ?? title });
  const close = () => dialog.close();
  dialog.append(
    h(
      "header.dialog-head",
      {},
      title ? h("h2", { text: title }) : h("span"),
      iconButton("close", "Close", close),
    ),
    h("div.dialog-body", {}, body),
    ...(actions.length ? [h("footer.dialog-foot", {}, actions)] : []),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (from?.isConnected) from.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks before something is lost. @returns {Promise<boolean>} */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    const answer = (value) => () => {
      resolve(value);
      dialog.close();
    };
    const sure = h("button.btn.danger", {
      type: "button",
      text: yes,
      data: { testid: "confirm" },
      on: { click: answer(true) },
    });
    const dialog = openDialog({
      title,
      body: h("p", { text }),
      actions: [h("button.btn", { type: "button", text: "Cancel", on: { click: answer(false) } }), sure],
    });
    dialog.addEventListener("close", () => resolve(false));
    sure.focus();
  });
}
