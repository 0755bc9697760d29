// @ts-check
/** What the map asks the server over HTTP. Errors are thrown with words that can be shown. */

/** @typedef {import("../store/types.js").Snapshot} Snapshot */
/** @typedef {{id: number, kind: string, key: string, name: string, address: string, vnet: string}} Hit */

/** @param {string} url @param {AbortSignal} [signal] @param {RequestCache} [cache] @returns {Promise<Response>} */
async function get(url, signal, cache = "no-cache") {
  const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin", cache, signal });
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new Error(problem?.detail ?? problem?.title ?? `The server answered ${response.status}.`);
}

/**
 * The snapshot, with the seq it includes: the greater of body and header (a 304 has a newer header).
 *
 * @param {string} url @param {AbortSignal} [signal] @param {boolean} [isAnew] do not take the one that the browser keeps @returns {Promise<Snapshot>}
 */
export async function fetchSnapshot(url, signal, isAnew = false) {
  const response = await get(url, signal, isAnew ? "reload" : "no-cache");
  /** @type {Snapshot} */
  const snapshot = await response.json();
  snapshot.seq = Math.max(snapshot.seq ?? 0, Number(response.headers.get("Vtapweb-Seq") ?? 0));
  return snapshot;
}

/** @param {string} url @param {string} q @param {AbortSignal} signal @returns {Promise<Hit[]>} */
export async function fetchHits(url, q, signal) {
  const body = await (await get(`${url}?q=${encodeURIComponent(q)}`, signal)).json();
  return Array.isArray(body) ? body : (body.items ?? body.hits ?? []);
}

/** @param {string} url @param {string} select as in the address of a table @returns {Promise<{ids: number[], is_gone: boolean}>} node ids */
export async function fetchSelection(url, select) {
  return (await get(`${url}?select=${encodeURIComponent(select)}`)).json();
}

/** NICs that a running change writes to now. @param {string} url @param {AbortSignal} signal @returns {Promise<Map<number, number>>} node id → change */
export async function fetchInFlight(url, signal) {
  /** @type {Array<{id: number, change: number}>} */
  const found = await (await get(url, signal)).json();
  return new Map(found.map(({ id, change }) => [id, change]));
}

/** What is known of the collectors' numbers. @param {string} url @param {AbortSignal} signal @returns {Promise<import("../store/traffic.js").Facts>} */
export async function fetchTraffic(url, signal) {
  return (await get(url, signal)).json();
}

/** @param {string} url @param {object} body @returns {Promise<Response>} */
async function post(url, body) {
  const hidden = JSON.parse(document.body.getAttribute("hx-headers") ?? "{}");
  const response = await fetch(url, { method: "POST", credentials: "same-origin", headers: { ...hidden, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  throw new Error(problem?.detail ?? problem?.title ?? `The server answered ${response.status}.`);
}

/** @param {string} url @param {number[]} ids node ids @returns {Promise<string>} the text for `select=` */
export async function postSelection(url, ids) {
  return (await (await post(url, { ids })).json()).select;
}

/** Packs the map anew, for everybody. @param {string} url */
export async function postRearrange(url) {
  await post(url, {});
}
