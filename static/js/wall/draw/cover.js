// @ts-check
/**
 * What stands over the picture: that it is old and since when, that this display was revoked, that it waits, and its name when somebody looks for it.
 */

import { ageWords } from "../../topology/store/units.js";
import { retryWords } from "../store/words.js";
import { mark, part, put, show } from "./dom.js";

/** @typedef {import("../model.js").WallModel} WallModel */

export class Cover {
  /** @param {WallModel} model */
  constructor(model) {
    this.model = model;
    this.root = part("wall");
    this.band = part("wall-band");
    this.bandTitle = part("wall-band-title");
    this.bandWords = part("wall-band-words");
    this.bandRetry = part("wall-band-retry");
    this.full = part("wall-full");
    this.fullTitle = part("wall-full-title");
    this.fullWords = part("wall-full-words");
    this.identify = part("wall-identify");
    this.identifyName = part("wall-identify-name");
    this.identifyPlace = part("wall-identify-place");
  }

  /** No name stays, shown or not. */
  forget() {
    for (const element of [this.identifyName, this.identifyPlace, this.fullTitle, this.fullWords]) put(element, "");
  }

  /** @param {string} version of the page */
  update(version) {
    const { model } = this;
    const { state, line } = model;
    const feed = model.feed;
    const now = model.now();
    mark(this.root, "feed", line.phase === "revoked" ? "revoked" : feed);
    mark(this.root, "version", version);
    this.#full(feed, now);
    const isOld = state !== null && (feed === "lost" || feed === "stopped");
    show(this.band, isOld);
    if (isOld) this.#old(feed, now);
    const isSought = state !== null && state.identify_until_ms !== null && now < state.identify_until_ms;
    show(this.identify, isSought);
    if (isSought) {
      put(this.identifyName, state.display.name);
      put(this.identifyPlace, [state.display.place, state.display.group?.name].filter(Boolean).join(" · "));
    }
  }

  /** @param {"lost" | "stopped" | string} feed @param {number} now */
  #old(feed, now) {
    const { line, trusted_ms, stopped_ms } = this.model;
    const since = feed === "stopped" ? (stopped_ms ?? this.model.picture?.meter.since_ms ?? trusted_ms) : trusted_ms;
    put(this.bandTitle, since === null ? "No live numbers have come yet." : `Live numbers stopped at ${this.model.timeOf(since)}, ${ageWords((now - since) / 1000)} ago.`);
    put(this.bandWords, `You are seeing the last picture we trust. ${feed === "lost" ? "vtapweb does not answer this screen." : this.model.picture?.meter.state === "unknown" ? "vtapweb answers, but does not know whether anybody measures." : "vtapweb answers, but nobody measures now."}`);
    show(this.bandRetry, feed === "lost");
    if (feed === "lost") put(this.bandRetry, line.retry_ms === null ? "trying now" : retryWords(line.retry_ms - now));
  }

  /** @param {string} feed @param {number} now */
  #full(feed, now) {
    const { state, line } = this.model;
    const retry = line.retry_ms === null ? "" : ` ${retryWords(line.retry_ms - now)}.`;
    if (line.phase === "revoked") {
      put(this.fullTitle, "This display was revoked.");
      put(this.fullWords, "It shows nothing any more. To use this screen again, open /wall on it and pair it anew at the desk, under Walls.");
    } else if (state === null) {
      put(this.fullTitle, "Starting.");
      put(this.fullWords, line.phase === "waiting" || line.lost_ms !== null ? `vtapweb does not answer yet:${retry || " trying now."}` : "Waiting for the first picture.");
    } else if (feed === "starting") {
      put(this.fullTitle, state.display.name);
      put(this.fullWords, line.phase === "open" ? "Connected. Waiting for the first picture." : `vtapweb does not answer this screen:${retry || " trying now."}`);
    }
    show(this.full, line.phase === "revoked" || state === null || feed === "starting");
  }
}
