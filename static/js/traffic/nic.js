// @ts-check
/** The page of one NIC: what it sent, by the collector that measured it. */
import { HistoryCard } from "../charts/history.js";
import { startPageRates } from "../live/page_rates.js";

/** @typedef {import("../charts/points.js").Answer} Answer */

/** @type {[HistoryCard, string][]} */
const cards = [];
for (const place of document.querySelectorAll("[data-chart]")) {
  if (!(place instanceof HTMLElement)) continue;
  const { chartKey: collector = "", mirror = "" } = place.dataset;
  cards.push([new HistoryCard(place, (body) => ({ ...body, ...seriesOf(body, collector, mirror) })), mirror]);
}
startPageRates(document, { onFrame: (rates) => cards.forEach(([card, mirror]) => card.follow(rates, mirror)) });

/** @param {{count: number, collectors: (Answer & {collector_key: string, tap_configuration_key: string})[]}} body @param {string} collector @param {string} mirror */
function seriesOf(body, collector, mirror) {
  const found = body.collectors.find((one) => one.collector_key === collector && one.tap_configuration_key === mirror);
  const nothing = new Array(body.count).fill(null);
  return { bits_per_s: found?.bits_per_s ?? nothing, packets_per_s: found?.packets_per_s ?? nothing };
}
