// The theme button: as the system has it, light, dark.

import { icon, iconButton } from "./dom.js";

const ORDER = ["auto", "light", "dark"];
const NAMES = { auto: "as the system", light: "light", dark: "dark" };
const root = document.documentElement;

export function themeButton() {
  const button = iconButton(
    "auto",
    "Theme",
    () => {
      const next = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
      root.dataset.theme = next;
      try {
        localStorage.setItem("theme", next);
      } catch {
        // No storage: it holds until the tab is closed.
      }
      show();
    },
    { "data-testid": "theme" },
  );
  const show = () => {
    const label = `Theme: ${NAMES[root.dataset.theme]}`;
    button.title = label;
    button.setAttribute("aria-label", label);
    button.replaceChildren(icon(root.dataset.theme));
  };
  addEventListener("storage", (event) => {
    if (event.key !== "theme" || !ORDER.includes(event.newValue)) return;
    root.dataset.theme = event.newValue;
    show();
  });
  show();
  return button;
}
