// The address of what is shown: ?to=…&from=…&message=…&view=…&q=…, with back and forward.

import { emit } from "./bus.js";

const VIEWS = ["phone", "deliveries", "faults", "refused"];
const NUMBER = /^[0-9]{1,15}$/;

/**
 * @typedef {{view: string, to: string, from: string, message: number, q: string, pane: string}} Route
 * `pane` (list, chat, inspector) is what a narrow window shows; it is kept in the history, not the address.
 */

function read() {
  const query = new URLSearchParams(location.search);
  const number = (name) => (NUMBER.test(query.get(name) ?? "") ? query.get(name) : "");
  const to = number("to");
  const id = query.get("message") ?? "";
  const message = /^[0-9]{1,16}$/.test(id) ? Number(id) : 0;
  const view = VIEWS.includes(query.get("view")) ? query.get("view") : "phone";
  const pane = history.state?.pane ?? (to || message ? "chat" : "list");
  return { view, to, from: to ? number("from") : "", message, q: (query.get("q") ?? "").slice(0, 200), pane };
}

/** @param {Partial<Route>} route @returns {string} its address */
export function address(route) {
  const query = new URLSearchParams();
  for (const key of ["to", "from", "message", "q"]) if (route[key]) query.set(key, String(route[key]));
  if (route.view && route.view !== "phone") query.set("view", route.view);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

/** @type {Route} */
export let route = read();

/**
 * Goes somewhere: what is not named stays.
 * @param {Partial<Route>} next
 * @param {{replace?: boolean, silent?: boolean}} [how]  replace: no new entry in the history
 */
export function go(next, { replace = false, silent = false } = {}) {
  const before = route;
  route = { ...route, ...next };
  const same = Object.keys(route).every((key) => route[key] === before[key]);
  if (same) return;
  const depth = (history.state?.depth ?? 0) + (replace ? 0 : 1);
  history[replace ? "replaceState" : "pushState"]({ pane: route.pane, depth }, "", address(route));
  if (!silent) emit("route", { route, before });
}

/** One step back, or to `otherwise` where this page was the first. */
export function back(otherwise) {
  if ((history.state?.depth ?? 0) > 0) history.back();
  else go(otherwise, { replace: true });
}

addEventListener("popstate", () => {
  const before = route;
  route = read();
  emit("route", { route, before });
});
