// @ts-check
/** The banners of the map, one for each kind of "old", and its empty states: from what the page knows to what is shown. Keeps nothing. */

import { instant } from "../../ui/time.js";
import { ageWords } from "../store/units.js";
import { make } from "./chrome.js";

/** @typedef {import("../store/graph.js").Graph} Graph */
/** @typedef {import("../wire/socket.js").SocketState} SocketState */
/** @typedef {{state: "live" | "connecting" | "stale" | "off", words: string}} Pill what the pill of the shell says */
/**
 * @typedef {object} Known
 * @property {Graph | null} graph
 * @property {string} failure why the picture could not be read, "" when it was
 * @property {SocketState} line
 * @property {string} dismissed what `staleNames` said when its banner was dismissed
 * @property {number} clockOffset ms that the server's clock is ahead of ours
 * @property {number} now unix ms, by our clock
 * @property {number | null} ratesStoppedAt when the newest numbers came, unix ms by our clock; null while they come, or before the first
 * @property {number | null} inventoryAt when the inventory was read, unix ms by the server's clock; null when the page does not say
 * @property {boolean} hasRates whether any number ever came
 */

/** @param {Graph} graph @returns {string} ids of the subscriptions that are not completely read */
export function staleNames(graph) {
  return graph.subscriptions.filter((one) => one.stale_since > 0).map((one) => one.id).join(" ");
}

/** @param {string} tone @param {string} glyph @param {string} key @param {Array<string | Node>} content */
function banner(tone, glyph, key, ...content) {
  const mark = make("span", "banner__glyph", glyph);
  mark.setAttribute("aria-hidden", "true");
  const item = make("div", `banner banner--${tone} map-banner`, mark, make("div", "banner__body", ...content));
  item.dataset.test = `banner-${key}`;
  return item;
}

/** @param {Known} known @returns {{items: HTMLElement[], pill: Pill, isCounting: boolean}} `isCounting`: they tell seconds, so ask again after one */
export function bannersOf(known) {
  const line = lineBanner(known);
  if (!line.items.length && known.ratesStoppedAt !== null) {
    line.items = [stoppedBanner(known, known.ratesStoppedAt)];
    line.isCounting = true;
    if (line.pill.state === "live") line.pill = { state: "stale", words: "Numbers stopped" };
  } else if (line.pill.state === "live" && known.hasRates) line.pill = { state: "live", words: "Live · 1 s" };
  return { ...line, items: [...failureBanner(known), ...line.items, ...staleBanner(known)] };
}

/** @param {Known} known @returns {HTMLElement[]} */
function failureBanner({ graph, failure }) {
  if (!failure) return [];
  const what = graph ? "The map could not be brought up to date." : "The map could not be loaded.";
  return [banner("bad", "✕", "failed", make("strong", "", what), ` ${failure} We ask again by ourselves.`)];
}

/** @param {Known} known @returns {{items: HTMLElement[], pill: Pill, isCounting: boolean}} */
function lineBanner({ inventoryAt, line, clockOffset, now, hasRates, ratesStoppedAt }) {
  if (line.phase === "signed_out") {
    const again = make("a", "", "Sign in again");
    again.href = `/accounts/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
    const item = banner("warn", "▲", "signed-out", make("strong", "", "You are signed out."), " You are seeing the last picture that was sent to you. ", again);
    return { items: [item], pill: { state: "off", words: "Signed out" }, isCounting: false };
  }
  if (line.phase === "waiting" || (line.phase === "connecting" && line.lostAt !== null)) {
    const at = hasRates && ratesStoppedAt !== null ? ratesStoppedAt : (line.lostAt ?? now);
    const ago = Math.max(0, Math.round((now - at) / 1000));
    const wait = Math.max(0, Math.ceil(((line.retryAt ?? now) - now) / 1000));
    const next = line.phase === "waiting" ? `Reconnecting in ${wait} s.` : "Reconnecting…";
    const retry = make("button", "btn btn--s", "Reconnect now");
    retry.type = "button";
    retry.dataset.action = "reconnect";
    const stopped = make("strong", "", hasRates ? "Live numbers stopped at " : "Updates stopped at ", instant(new Date(at + clockOffset), "clock"), `, ${ago} s ago.`);
    const item = banner("stale", "◌", "connection", stopped, ` You are seeing the last picture we trust. ${inventoryWords(inventoryAt, now + clockOffset)}${next} `, retry);
    return { items: [item], pill: { state: "stale", words: next }, isCounting: true };
  }
  const isOpen = line.phase === "open";
  return { items: [], pill: { state: isOpen ? "live" : "connecting", words: isOpen ? "Map is live" : "Connecting…" }, isCounting: false };
}

/** The line stands, but nobody measures. @param {Known} known @param {number} at @returns {HTMLElement} */
function stoppedBanner({ inventoryAt, clockOffset, now }, at) {
  const ago = Math.max(0, Math.round((now - at) / 1000));
  const stopped = make("strong", "", "Live numbers stopped at ", instant(new Date(at + clockOffset), "clock"), `, ${ago} s ago.`);
  return banner("stale", "◌", "rates", stopped, ` You are seeing the last picture we trust. ${inventoryWords(inventoryAt, now + clockOffset)}The map itself is up to date; vtapweb waits for the next number.`);
}

/** @param {number | null} inventoryAt @param {number} now both by the server's clock @returns {string} how old what stands on the map is, "" when nobody knows */
function inventoryWords(inventoryAt, now) {
  return inventoryAt === null ? "" : `Azure inventory: ${ageWords((now - inventoryAt) / 1000)} old. `;
}

/** @param {Known} known @returns {HTMLElement[]} */
function staleBanner({ graph, dismissed }) {
  const stale = (graph?.subscriptions ?? []).filter((one) => one.stale_since > 0);
  if (!graph || !stale.length) return [];
  const since = instant(new Date(Math.min(...stale.map((one) => one.stale_since)) * 1000), "moment");
  const link = make("a", "", "See why");
  link.href = "/syncs";
  if (stale.length === graph.subscriptions.length) {
    const words = " Azure may look different by now. Nothing here was removed because of it. ";
    return [banner("warn", "◌", "inventory", make("strong", "", "Inventory not synced since ", since, "."), words, link)];
  }
  if (dismissed === staleNames(graph)) return [];
  const close = make("button", "btn btn--quiet btn--s", "✕");
  close.type = "button";
  close.dataset.action = "dismiss-stale";
  close.setAttribute("aria-label", "Dismiss until other subscriptions are concerned");
  const names = stale.slice(0, 3).map((one) => one.name).join(", ") + (stale.length > 3 ? ` and ${stale.length - 3} more` : "");
  const what = make("strong", "", `${names} not completely read since `, since, ".");
  return [banner("stale", "◌", "subscription", what, " What you see of it may have changed. ", link, close)];
}

/** Empty states teach what is missing and what to do. @param {HTMLElement} root @param {Graph} graph */
export function showEmptyStates(root, graph) {
  const { counts } = graph;
  const show = (/** @type {string} */ id, /** @type {boolean} */ isShown) => {
    const element = document.getElementById(id);
    if (element) element.hidden = !isShown;
  };
  const isBare = graph.vnets.size === 0;
  show("map-empty-subscriptions", counts.subscriptions === 0);
  show("map-empty-vnets", counts.subscriptions > 0 && isBare);
  show("map-empty-mirrors", !isBare && graph.mirrors.size === 0 && graph.collectors.size > 0 && counts.nics > 0);
  show("map-empty-collectors", !isBare && graph.collectors.size === 0 && counts.nics > 0);
  show("map-legend-box", !isBare);
  const could = counts.nics_mirrorable ?? 0;
  for (const [name, value] of Object.entries({ could, nics: counts.nics, not: counts.nics - could })) {
    for (const element of root.querySelectorAll(`[data-count="${name}"]`)) element.textContent = value.toLocaleString("en-GB");
  }
}
