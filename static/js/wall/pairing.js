// @ts-check
/**
 * The page of a screen that is no display yet: shows the code and asks every two seconds, for ever, whether somebody has typed it. When it ends the
 * server's answer holds the next one.
 */
import { stateWords } from "./store/pairing_words.js";

const ASK_MS = 2000;
const LATER_MS = 15_000;
/** A network that swallows an answer must not keep the next question from being asked. */
const LONGEST_MS = 20_000;

/** @typedef {import("./store/pairing_words.js").PairingTold} PairingTold */

/** @param {Document} page */
export function startPairing(page) {
  const code = page.getElementById("pairing-code");
  const words = page.getElementById("pairing-state");
  const qr = page.getElementById("pairing-qr");
  if (!code || !words || !(qr instanceof HTMLImageElement)) return;
  let shown = "";

  /** @param {PairingTold} told */
  const show = (told) => {
    if (words.textContent !== stateWords(told)) words.textContent = stateWords(told);
    const next = told.state === "waiting" ? told.code : "";
    if (next === shown) return;
    shown = next;
    code.textContent = next ? `${next.slice(0, 3)} ${next.slice(3)}` : "······";
    qr.hidden = !next;
    if (next) qr.src = `/wall/pairing/qr?of=${next}`;
  };

  const ask = async () => {
    let wait_ms = ASK_MS;
    try {
      const answer = await fetch("/wall/pairing", { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(LONGEST_MS) });
      const told = answer.ok || answer.status === 429 ? /** @type {PairingTold} */ (await answer.json()) : /** @type {PairingTold} */ ({ state: "lost" });
      if (told.state === "paired") {
        location.replace("/wall");
        return;
      }
      if (told.state === "full") wait_ms = LATER_MS;
      show(told);
    } catch {
      show({ state: "lost" }); // the server is away: the code may still be good, but nobody can say so
    }
    setTimeout(ask, wait_ms);
  };
  void ask();
}

if (typeof document !== "undefined") startPairing(document);
