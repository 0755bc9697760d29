// @ts-check
/** What the wall asks the server over HTTP, by the display's cookie. */

/** Nothing is waited for longer than this: a question that hangs must not keep the next one from being asked. */
const LONGEST_MS = 20_000;

export class Refused extends Error {
  /** @param {number} status of HTTP */
  constructor(status) {
    super(`The server answered ${status}.`);
    this.status = status;
  }
}

/** @param {string} url @returns {Promise<Response>} Throws Refused when the answer is no 2xx, and TypeError or a DOMException when there is none. */
async function get(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-cache", signal: AbortSignal.timeout(LONGEST_MS) });
  if (!answer.ok) throw new Refused(answer.status);
  return answer;
}

/** @returns {Promise<import("../store/types.js").State>} */
export async function askState() {
  return (await get("/wall/state")).json();
}

/** @template Told @typedef {{told: Told, hasNames: boolean}} Answer  `hasNames`: the server says that nothing was hidden in it */

/** @returns {Promise<Answer<import("../../topology/store/types.js").Snapshot>>} */
export function askTopology() {
  return ofTheEstate("/wall/topology");
}

/** @returns {Promise<Answer<import("../../topology/store/traffic.js").Facts>>} */
export function askTraffic() {
  return ofTheEstate("/wall/traffic");
}

/** @param {string} url @returns {Promise<Answer<any>>} */
async function ofTheEstate(url) {
  const answer = await get(url);
  return { told: await answer.json(), hasNames: answer.headers.get("Wall-Masked") === "no" };
}
