// @ts-check
/** What `window.vtap.rates` offers to tests: reading the store of rates. Changes nothing. */

/** @param {import("./rates.js").Rates} rates */
export function ratesHooksOf(rates) {
  return {
    stats: () => ({
      state: rates.state(), age_s: rates.ageS(), stale_since: rates.staleSince(), unix_s: rates.unix_s, series_revision: rates.series_revision,
      series: rates.series.length, taken: rates.taken, foreign: rates.foreign, octets: rates.octets,
    }),
    of: (/** @type {string} */ key) => ({ bits: rates.bitsOf(key), packets: rates.packetsOf(key), known: rates.knownOf(key) }),
    all: () => Object.fromEntries(rates.series.map((key) => [key, rates.bitsOf(key)])),
    spark: (/** @type {string} */ key) => [...rates.sparkOf(key)],
  };
}
