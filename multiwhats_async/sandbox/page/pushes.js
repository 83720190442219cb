// What became of each recent choice on its way to the webhook, for the line below the reply.

import { listDeliveries } from "./api.js";
import { emit, on } from "./bus.js";
import { reloader } from "./dom.js";
import { laterDelivery } from "./newest.js";

const MOST = 500;
const latest = new Map();

/** @returns {object|undefined} the newest delivery of a message, where it is known */
export const pushOf = (id) => latest.get(id);

function take(deliveries) {
  let changed = false;
  for (const delivery of deliveries) {
    const old = latest.get(delivery.message_id);
    if (old && old.id > delivery.id) continue;
    const later = laterDelivery(old?.id === delivery.id ? old : undefined, delivery);
    if (later === old) continue;
    latest.delete(delivery.message_id);
    latest.set(delivery.message_id, later);
    changed = true;
  }
  for (const key of latest.keys()) {
    if (latest.size <= MOST) break;
    latest.delete(key);
  }
  if (changed) emit("pushed");
}

const load = async () => take((await listDeliveries({ limit: 200 })).items.reverse());

export function startPushes() {
  const reload = reloader(load, 400);
  load().catch(() => {});
  on("change", (change) => {
    take(change.deliveries);
    if (change.more) reload();
  });
  on("delivered", take);
  on("reload", reload);
  on("reset", () => latest.clear());
}
