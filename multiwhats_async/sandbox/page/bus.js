// Events between the parts of the page: change, reload, connection, route, message.

const target = new EventTarget();

/** @param {string} name @param {(detail: any) => void} handler */
export const on = (name, handler) => target.addEventListener(name, (event) => handler(event.detail));

export const emit = (name, detail) => target.dispatchEvent(new CustomEvent(name, { detail }));
