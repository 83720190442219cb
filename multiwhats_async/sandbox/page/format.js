// How times, numbers and texts are shown. Pure functions; nothing here touches the page.

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const clockSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "2-digit", year: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const counts = new Intl.NumberFormat();
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const dayOf = (time) => new Date(time).toDateString();
const safely = (format, time) => {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? String(time) : format.format(at);
};

export const timeOfDay = (time) => safely(clock, time);
export const timeWithSeconds = (time) => safely(clockSeconds, time);
export const fullTime = (time) => safely(full, time);
export const sameDay = (a, b) => dayOf(a) === dayOf(b);
export const count = (n) => counts.format(n);
/** 12,345 as 12.3K: for places that are narrow. */
export const shortCount = (n) => (n < 10_000 ? counts.format(n) : compact.format(n));

/** "Today", "Yesterday", or the date. */
export function dayName(time) {
  const today = new Date();
  if (dayOf(time) === dayOf(today)) return "Today";
  today.setDate(today.getDate() - 1);
  return dayOf(time) === dayOf(today) ? "Yesterday" : safely(date, time);
}

/** The time today, else the date: as a list of chats shows it. */
export const listTime = (time) =>
  dayOf(time) === dayOf(new Date()) ? timeOfDay(time) : safely(shortDate, time);

/** 905374937766 as +90 537 493 77 66; others keep their digits together. */
export function phoneNumber(digits) {
  const tr = /^90(\d{3})(\d{3})(\d{2})(\d{2})$/.exec(digits);
  if (tr) return `+90 ${tr.slice(1).join(" ")}`;
  const us = /^1(\d{3})(\d{3})(\d{4})$/.exec(digits);
  if (us) return `+1 ${us.slice(1).join(" ")}`;
  return /^\d+$/.test(digits) ? `+${digits}` : String(digits);
}

/** A hue for a number, always the same. */
export function hueOf(text) {
  let hash = 7;
  for (const char of String(text)) hash = (hash * 31 + char.codePointAt(0)) % 3607;
  return (hash * 47) % 360;
}

/** The first `most` code units, never half an emoji. */
export function clip(text, most) {
  if (text.length <= most) return text;
  let end = most;
  if (/[\ud800-\udbff]/.test(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** The text on one line, short enough for a row. */
export const oneLine = (text, most = 160) => clip(text, most).replace(/\s+/g, " ").trim();

/** For a search that ignores case and accents, dotless i included; only a guess of the server's. */
export const folded = (text) =>
  text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("ı", "i").replaceAll("i\u0307", "i");

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** What a fault did to the answer, in a few words. */
export function faultWords(fault) {
  const kind = fault.split(/[=@]/)[0];
  if (kind === "disconnect_after") return "answer lost";
  if (kind === "malformed_json") return "answer spoilt";
  if (kind === "slow_drip" || kind === "latency") return "answer slow";
  return "fault";
}
