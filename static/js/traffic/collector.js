// @ts-check
/** The page of one collector: its chart, and live numbers in everything that names a series. */
import { HistoryCard } from "../charts/history.js";
import { startPageRates } from "../live/page_rates.js";

const place = document.querySelector("[data-chart]");
const card = place instanceof HTMLElement ? new HistoryCard(place) : null;
const rates = startPageRates(document, { onFrame: (found) => card?.follow(found) });

Object.assign(window, { vtap: { ...Object(Reflect.get(window, "vtap")), traffic: { card, rates } } });
