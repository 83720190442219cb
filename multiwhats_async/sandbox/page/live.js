// What changes on the server, in every tab, through one event stream. HTTP/1.1 allows six connections
// to a host, so one tab leads: it holds a Web Lock and the stream, and passes all on to the others.

import { emit } from "./bus.js";

const NAME = "multiwhats-sandbox-live";
const RETRY = 1000;
const OFFLINE_AFTER = 4000;
const ANSWER_WITHIN = 2500;

const channel = "BroadcastChannel" in self ? new BroadcastChannel(NAME) : null;
let state = "connecting";
let source = null;
let retryTimer = 0;
let offlineTimer = 0;

let leading = false;
let ended = false;
let steal = false;
let heard = 0;
let waiting = new AbortController();
let stepDown = () => {};

function show(next) {
  if (state === next) return;
  state = next;
  emit("connection", next);
  if (leading) channel?.postMessage({ kind: "state", state });
}

function lost() {
  source?.close();
  source = null;
  if (state === "live") show("connecting");
  offlineTimer ||= setTimeout(() => show("offline"), OFFLINE_AFTER);
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, RETRY);
}

function connect() {
  if (source || !leading) return;
  source = new EventSource("/sandbox/events");
  source.addEventListener("open", () => {
    clearTimeout(offlineTimer);
    offlineTimer = 0;
    show("live");
    // What happened while nobody listened is unknown: all tabs load anew what they show.
    emit("reload");
    channel?.postMessage({ kind: "reload" });
  });
  source.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    channel?.postMessage({ kind: "change", change });
    emit("change", change);
  });
  source.addEventListener("error", lost);
}

/** Leads for as long as the promise is pending. */
function lead() {
  leading = true;
  connect();
  return new Promise((resolve) => {
    stepDown = resolve;
  });
}

function follow() {
  leading = false;
  source?.close();
  source = null;
  clearTimeout(retryTimer);
  clearTimeout(offlineTimer);
  offlineTimer = 0;
}

async function standInLine() {
  while (!ended) {
    waiting = new AbortController();
    const how = steal ? { steal } : { signal: waiting.signal };
    steal = false;
    try {
      await navigator.locks.request(NAME, how, lead);
    } catch {
      // This tab stopped waiting, or another took the lead since this one did not answer it.
    }
    follow();
  }
}

/** A leader that the system has put to sleep does not answer: then this tab takes the lead. */
function check() {
  if (leading || document.visibilityState !== "visible") return;
  const asked = performance.now();
  channel.postMessage({ kind: "hello" });
  setTimeout(() => {
    if (leading || heard >= asked || document.visibilityState !== "visible") return;
    steal = true;
    waiting.abort();
  }, ANSWER_WITHIN);
}

function receive({ data }) {
  if (leading) {
    if (data.kind === "hello") channel.postMessage({ kind: "state", state });
    return;
  }
  if (data.kind !== "hello") heard = performance.now();
  if (data.kind === "state") show(data.state);
  if (data.kind === "reload") emit("reload");
  if (data.kind === "change") {
    show("live");
    emit("change", data.change);
  }
}

function leave() {
  ended = true;
  waiting.abort();
  stepDown();
  follow();
}

function comeBack(event) {
  if (!event.persisted) return; // Only where the browser kept the page and shows it again.
  ended = false;
  standInLine();
  check();
  emit("reload");
}

/** Begins to listen; returns at once. */
export function startLive() {
  if (!navigator.locks || !channel) {
    lead(); // No secure context: each tab has a stream of its own.
    return;
  }
  channel.addEventListener("message", receive);
  standInLine();
  check();
  document.addEventListener("visibilitychange", check);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", comeBack);
}
