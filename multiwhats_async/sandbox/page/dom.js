// Makes elements without markup: text is always a text node, so nothing that a message holds runs.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag  "div", "div.a.b"
 * @param {Record<string, any>} [props]  attributes; `on` handlers by event, `data` a dataset, `text`
 * @param {...(Node|string|null|undefined|false|Array)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const el = document.createElement(name);
  if (classes.length) el.className = classes.join(" ");
  apply(el, props);
  add(el, children);
  return el;
}

function apply(el, props) {
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on")
      for (const [event, handler] of Object.entries(value)) el.addEventListener(event, handler);
    else if (key === "data")
      for (const [k, v] of Object.entries(value)) {
        if (v !== undefined && v !== null) el.dataset[k] = v;
      }
    else if (key === "text") el.textContent = value;
    else if (key === "value" || key === "checked") el[key] = value;
    else el.setAttribute(key, value === true ? "" : String(value));
  }
}

function add(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child);
  }
}

/** Replaces the text only where it differs: screen readers and the layout are left alone. */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const byTestId = (id, root = document) => root.querySelector(`[data-testid="${id}"]`);

const SHAPES = {
  phone: ["M8 3h8a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z", "M11 18h2"],
  deliveries: ["M4 12h11", "M11 7l5 5-5 5", "M20 5v14"],
  faults: ["M13 3L5 14h6l-1 7 8-11h-6z"],
  refused: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M6 6l12 12"],
  reply: ["M10 5L4 11l6 6", "M4 11h9a7 7 0 0 1 7 7v1"],
  back: ["M15 5l-7 7 7 7"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  done: ["M5 13l4 4L19 7"],
  link: [
    "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1 1",
    "M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1-1",
  ],
  auto: ["M12 4a8 8 0 1 0 0 16z", "M12 4a8 8 0 0 1 0 16"],
  light: [
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    "M12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M5.600 18.400l1.100-1.100M17.300 6.700l1.100-1.100",
  ],
  dark: ["M19 14.500A8 8 0 0 1 9.500 5a7.500 7.500 0 1 0 9.500 9.500z"],
  reset: ["M5 12a7 7 0 1 0 2.200-5.100", "M4 4v4.500h4.500"],
  help: ["M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400", "M12 17.500v.1"],
  plug: ["M9 3v5M15 3v5", "M6 8h12v3a6 6 0 0 1-12 0z", "M12 17v4"],
  warn: ["M12 4L3 20h18z", "M12 10v4.500M12 17v.1"],
  down: ["M6 9l6 6 6-6"],
  up: ["M6 15l6-6 6 6"],
  code: ["M9 7l-5 5 5 5", "M15 7l5 5-5 5"],
  edit: ["M4 20l1-4L16 5l3 3L8 19z"],
  replay: ["M19 12a7 7 0 1 1-2.200-5.100", "M20 4v4.500h-4.500"],
  lock: ["M7 11h10v9H7z", "M9 11V8a3 3 0 0 1 6 0v3"],
  plus: ["M12 5v14M5 12h14"],
  person: [
    "M12 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z",
    "M5 20c.6-3.600 3.400-5.500 7-5.500s6.400 1.900 7 5.500",
  ],
  shop: [
    "M5 10v9h14v-9",
    "M4 5h16l1 4a2.500 2.500 0 0 1-4.500 1 2.600 2.600 0 0 1-4.500 0 2.600 2.600 0 0 1-4.500 0A2.500 2.500 0 0 1 3 9z",
  ],
  chat: ["M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z"],
  ticks: ["M2 13l4 4L15 7", "M10 16l1.500 1.500L22 7"],
};

/** @param {keyof typeof SHAPES} name @returns {SVGElement} an icon, hidden from screen readers */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name} ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  for (const d of SHAPES[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A button with an icon; the label is read out, and shown where `text` is set. */
export function iconButton(name, label, onClick, { text = false, cls = "", ...props } = {}) {
  return h(
    `button.${text ? "btn" : "icon-btn"}${cls ? `.${cls}` : ""}`,
    {
      type: "button",
      title: text ? null : label,
      "aria-label": text ? null : label,
      on: { click: onClick },
      ...props,
    },
    icon(name),
    text ? h("span", { text: label }) : null,
  );
}

/**
 * Gathers calls into one before the next paint; in a background tab, where nothing is painted,
 * a timer does it.
 * @param {() => void} work
 */
export function batched(work) {
  let due = false;
  const run = () => {
    if (!due) return;
    due = false;
    work();
  };
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(run);
    setTimeout(run, document.hidden ? 0 : 200);
  };
}

/**
 * At most one `work` in flight, begun no sooner than `wait` after it was asked for: later where the
 * server is slow, and where nobody looks.
 */
export function reloader(work, wait = 300) {
  let timer = 0;
  let running = false;
  let again = false;
  let took = 0;
  const start = async () => {
    timer = 0;
    running = true;
    const begun = performance.now();
    await work().catch(() => {});
    took = performance.now() - begun;
    running = false;
    if (again) ask();
  };
  const ask = () => {
    again = running;
    if (timer || running) return;
    timer = setTimeout(start, Math.max(wait, Math.min(3000, took * 3), document.hidden ? 1000 : 0));
  };
  return ask;
}

/** Puts text on the clipboard; also where the Clipboard API is missing. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea.sr", { value: text, readonly: true });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A button that copies what `text` returns and says so for a moment. */
export function copyButton(text, label = "Copy", { iconOnly = false } = {}) {
  const word = h("span", { text: label });
  if (iconOnly) word.className = "sr";
  const button = h(
    `button.btn.small.copy${iconOnly ? ".icon-only" : ""}`,
    { type: "button", title: iconOnly ? label : null },
    icon("copy"),
    word,
  );
  button.addEventListener("click", async () => {
    const done = await copyText(text());
    button.replaceChildren(icon(done ? "done" : "close"), word);
    word.textContent = done ? "Copied" : "Not copied";
    button.classList.toggle("ok", done);
    setTimeout(() => {
      word.textContent = label;
      button.classList.remove("ok");
      button.replaceChildren(icon("copy"), word);
    }, 1500);
  });
  return button;
}
