// @ts-check
/** The shell's script: one module for every page. Everything works by delegation, so parts swapped in by htmx need no set-up. */
import { startTheme } from "./theme.js";
import { startTimes } from "./time.js";
import { startToasts } from "./toast.js";
import { startChecks } from "./checks.js";
import { startCopy } from "./copy.js";
import { startKeys } from "./keys.js";
import { startLivePill } from "./live_pill.js";
import { startLive } from "./live.js";

startTheme(document);
startTimes(document);
startToasts(document);
startChecks(document);
startCopy(document);
startKeys(document);
startLivePill(document);
startLive(document);
