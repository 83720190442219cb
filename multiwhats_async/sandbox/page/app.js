// The page of the sandbox: starts its parts and shows the view that the address names.

import { getStats } from "./api.js";
import { on } from "./bus.js";
import { startConversations } from "./conversations.js";
import { deliveriesView } from "./deliveries.js";
import { reloader } from "./dom.js";
import { startFaults } from "./faults.js";
import { startInspector } from "./inspector.js";
import { startKeyboard } from "./keyboard.js";
import { startLive } from "./live.js";
import { startPhone } from "./phone.js";
import { startPushes } from "./pushes.js";
import { refusedView } from "./refused.js";
import { route } from "./route.js";
import { revisionSeen, showStats, startTopbar } from "./topbar.js";
import { startWebhook } from "./webhook.js";

const panes = document.querySelectorAll("main > [data-for]");
const starters = {
  deliveries: () => deliveriesView.start(),
  refused: () => refusedView.start(),
  faults: startFaults,
  phone: () => {},
};

const narrow = matchMedia("(max-width: 999px)");

/** Where only one column shows, the focus goes along to the one that came. */
function moveFocus({ route: now, before }) {
  if (now.pane === before.pane || now.view !== "phone" || !narrow.matches) return;
  const place = { list: ".conversation[tabindex='0']", chat: ".log", inspector: "#tab-panel" }[now.pane];
  document.querySelector(place)?.focus({ preventScroll: true });
}

function showView() {
  document.body.dataset.view = route.view;
  document.body.dataset.pane = route.pane;
  for (const pane of panes) pane.hidden = pane.dataset.for !== route.view;
  starters[route.view]();
}

async function loadStats() {
  const before = revisionSeen();
  const stats = await getStats();
  if (before === revisionSeen()) showStats(stats);
}

showView();
on("route", (change) => {
  showView();
  moveFocus(change);
});
startTopbar();
startInspector();
startConversations();
startPhone();
startPushes();
startWebhook();
startKeyboard();
loadStats().catch(() => {});
on("reload", reloader(loadStats));
startLive();
