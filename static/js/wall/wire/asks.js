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

/** @returns {Promise<import("../../topology/store/types.js").Snapshot>} */
export async function askTopology() {
  return (await get("/wall/topology")).json();
}

/** @returns {Promise<import("../../topology/store/traffic.js").Facts>} */
export async function askTraffic() {
  return (await get("/wall/traffic")).json();
}
