// @ts-check
/**
 * A listening socket for pages without a canvas: tells the top bar whether this page is live, and the parts of the page what moved on, as
 * events on the document: `vtap:sync`, `vtap:change` for any change to Azure, `vtap:change-N` for change N, `vtap:health` for alarms,
 * `vtap:wall` for displays. Without a socket those parts poll by themselves. Frames of rates come as `vtap:frame` with their octets (see live/page_rates.js).
 */

/** Milliseconds until the next try: doubling, up to half a minute, spread so that a restarted server is not stormed.
 * @param {number} attempt 0 for the first
 * @param {number} spread 0 to 1
 */
export function backoff(attempt, spread) {
  return Math.round(Math.min(30_000, 1000 * 2 ** Math.min(attempt, 6)) * (0.75 + spread / 2));
}

/** The names of the events on the document that a message becomes.
 * @param {{kind: string, change_id?: number}} message
 */
export function eventsOf({ kind, change_id }) {
  if (kind === "sync" || kind === "sync_progress") return ["vtap:sync"];
  if (kind === "change" || kind === "change_state") return ["vtap:change", `vtap:change-${change_id}`];
  if (kind === "health") return ["vtap:health"];
  if (kind === "wall") return ["vtap:wall"];
  return kind === "refetch" ? ["vtap:sync", "vtap:change", "vtap:health", "vtap:wall", "vtap:missed"] : [];
}

const SIGNED_OUT = 4401; // the server's close code: not signed in, or no longer; trying again would not help
const QUIET_MS = 15_000; // the server speaks every 5 s

/**
 * Starts listening, where the page has a pill and no socket of its own (`data-live`, the map).
 * @param {Document} page
 */
export function startLive(page) {
  if (!page.getElementById("live-pill") || page.querySelector("[data-live]")) return;
  let attempt = 0;
  let heardAt = 0;
  /** @type {WebSocket | null} */
  let socket = null;

  /** @param {string} state @param {string} words */
  const say = (state, words) => page.dispatchEvent(new CustomEvent("vtap:live", { detail: { state, words } }));

  const connect = () => {
    const url = new URL("/ws/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    if (attempt === 0) say("connecting", "Connecting…");
    socket.addEventListener("message", (event) => {
      heardAt = Date.now();
      if (typeof event.data !== "string") {
        page.dispatchEvent(new CustomEvent("vtap:frame", { detail: event.data }));
        return;
      }
      attempt = 0;
      say("live", "Live");
      for (const name of eventsOf(JSON.parse(event.data))) page.dispatchEvent(new CustomEvent(name));
    });
    socket.addEventListener("close", ({ code }) => {
      if (code === SIGNED_OUT) {
        say("off", "Signed out");
        return;
      }
      const wait_ms = backoff(attempt++, Math.random());
      say("stale", `Not live · next try in ${Math.round(wait_ms / 1000)} s`);
      setTimeout(connect, wait_ms);
    });
  };

  setInterval(() => {
    if (socket?.readyState === WebSocket.OPEN && heardAt && Date.now() - heardAt > QUIET_MS) socket.close();
  }, 5000);
  connect();
}
