// Of two states of one thing the later: an answer that was asked for may be older than a change that
// came meanwhile. A choice and an attempt are never taken back, so they tell.

/**
 * Where nothing differs the known one comes back, so that it need not be drawn again.
 * @param {object|undefined} known @param {object} got  MessageSummaries of one id
 */
export function laterMessage(known, got) {
  if (known?.id !== got.id || known.time !== got.time) return got;
  if (known.tap && !got.tap) return known;
  const same = Boolean(known.tap) === Boolean(got.tap) && known.fault === got.fault;
  return same && known.tapping === got.tapping ? known : got;
}

/** @param {object|undefined} known @param {object} got  DeliverySummaries of one id */
export function laterDelivery(known, got) {
  if (!known) return got;
  const ended = known.state !== "waiting" && got.state === "waiting";
  return ended || known.attempts.length > got.attempts.length ? known : got;
}
