// @ts-check
/** On a stage that shows something else: what nobody has taken yet stays in sight, in one line. */

import { agoWords, count, ownerWords, severityLook, shortNames } from "../store/words.js";
import { isUntaken } from "../store/slots.js";
import { el, mark, put, show } from "./dom.js";

/** Views that say themselves what is broken; that of one collector says what is broken with it. */
const SAY_IT = new Set(["alarms", "overview"]);

export class Strip {
  /** @param {HTMLElement} host @param {import("../model.js").WallModel} model */
  constructor(host, model) {
    this.host = host;
    this.model = model;
    this.number = el("b", "wall-strip__number");
    this.title = el("span", "wall-strip__title");
    this.words = el("span", "wall-strip__words");
    host.append(this.number, this.title, this.words);
  }

  /** @param {{kind: string, view: import("../store/types.js").View} | null} shown */
  update(shown) {
    const { state, picture } = this.model;
    const isWanted = state?.display.role === "stage" && shown && !SAY_IT.has(shown.kind);
    const key = shown?.kind === "collector" ? shown.view.options.collector : undefined;
    const untaken = isWanted ? (picture?.alarms.filter((alarm) => isUntaken(alarm) && alarm.severity !== "notice" && !(key && alarm.collector === key)) ?? []) : [];
    const [first] = untaken;
    show(this.host, first !== undefined);
    if (!first) return;
    const look = severityLook(first.severity);
    mark(this.host, "tone", look.tone);
    put(this.number, `${look.glyph} ${first.spoken}`);
    put(this.title, shortNames(first.title || first.sentence));
    const more = untaken.length - 1 + (picture?.more_alarms ?? 0);
    put(this.words, [agoWords(first.opened_ms, this.model.now()), ownerWords(first, (ms) => this.model.momentOf(ms)), more ? `and ${count(more, "more alarm")}` : ""].filter(Boolean).join(" · "));
  }
}
