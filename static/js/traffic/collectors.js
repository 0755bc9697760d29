// @ts-check
/** The list of collectors: live numbers and sparklines. */
import { startPageRates } from "../live/page_rates.js";

startPageRates(document);
