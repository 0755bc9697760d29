// @ts-check
/** What the pairing page says below its code. Pure. */

/**
 * @typedef {{state: "waiting", code: string, ended_ms: number, server_ms: number} | {state: "paired"} | {state: "full", words: string} | {state: "lost"}} PairingTold
 * what `GET /wall/pairing` answers; lost: it did not
 */

/** @param {PairingTold} told */
export function stateWords(told) {
  switch (told.state) {
    case "waiting": {
      const left_s = Math.max(0, Math.ceil((told.ended_ms - told.server_ms) / 1000));
      const words = left_s > 60 ? `${Math.ceil(left_s / 60)} minutes` : "less than a minute";
      return `Good for ${words}; then there is another one.`;
    }
    case "paired":
      return "Paired. The wall is loading.";
    case "full":
      return told.words;
    case "lost":
      return "The server does not answer. Trying again every two seconds.";
  }
}
