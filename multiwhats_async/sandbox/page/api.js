// The test API: one function a call. A failure is an ApiError whose message is for people.

export class ApiError extends Error {
  /** @param {string} message @param {number} status 0 where there was no answer @param {string} code */
  constructor(message, status, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(path, { method = "GET", body, query } = {}) {
  const url = new URL(`/sandbox/${path}`, location.origin);
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(key, value);
  }
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(30_000),
    });
  } catch {
    throw new ApiError("The sandbox does not answer. Is it still running?", 0, "unreachable");
  }
  if (response.status === 204) return null;
  const text = await response.text().catch(() => "");
  let data = null;
  try {
    data = JSON.parse(text);
  } catch {
    if (response.ok)
      throw new ApiError("The sandbox answered with something that is no JSON.", response.status);
  }
  if (response.ok) return data;
  throw new ApiError(
    data?.error?.message ?? `The sandbox answered ${response.status}.`,
    response.status,
    data?.error?.code,
  );
}

export const getInfo = () => call("info");
export const getStats = () => call("stats");
export const reset = () => call("reset", { method: "POST" });

/** @param {{to?: string, from?: string, q?: string, after?: number, before?: number, limit?: number}} query */
export const listMessages = (query) => call("messages", { query });
export const getMessage = (id) => call(`messages/${id}`);
export const tap = (id, index) => call(`messages/${id}/tap`, { method: "POST", body: { index } });

export const listConversations = (query) => call("conversations", { query });
export const listRefusals = (query) => call("refusals", { query });

export const listDeliveries = (query) => call("deliveries", { query });
export const getDelivery = (id) => call(`deliveries/${id}`);
export const replay = (id) => call(`deliveries/${id}/replay`, { method: "POST" });

export const getWebhook = () => call("webhook");
export const setWebhook = (body) => call("webhook", { method: "PUT", body });

export const getFaults = () => call("faults");
export const addFault = (fault) => call("faults", { method: "POST", body: { fault } });
export const clearFaults = () => call("faults", { method: "DELETE" });
