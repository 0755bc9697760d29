// @ts-check
/** What `window.vtap.wall` offers to tests: reading. Changes nothing. */

/** @param {import("./wall.js").WallPage} page */
export function hooksOf(page) {
  const { model } = page;
  return {
    /** The first picture is drawn, in a view. */
    get ready() {
      return page.shown !== null && model.picture !== null && page.figures.drawn > 0;
    },
    state: () => model.state,
    picture: () => model.picture,
    graph: () => (model.graph ? { revision: model.graph.revision, counts: model.graph.counts } : null),
    /** What is shown and why: the slot's reason, or "alarm" when a new alarm has taken the stage. */
    view: () => (page.shown ? { ...page.shown.view, why: page.shown.why } : null),
    line: () => ({ ...model.line, opened: page.line.opened, feed: model.feed }),
    clock: () => ({ now_ms: model.now(), off_s: model.clock.offS(), zone: model.zone }),
    rates: () => ({ state: model.rates.state(), unix_s: model.rates.unix_s, series: model.rates.series.length, taken: model.rates.taken, foreign: model.rates.foreign }),
    stats: () => ({
      ...page.figures, every_s: page.pace.every_s, drawn_ms: page.pace.drawn_ms, drawn_ago_ms: performance.now() - page.drawnAt, version: page.version,
      elements: document.getElementsByTagName("*").length, made: [...page.made.keys()], reloads: page.reloaded()?.count ?? 0, reloaded_why: page.reloaded()?.why ?? "",
      isRevoked: page.isRevoked, map: model.map?.stats() ?? null, views: Object.fromEntries([...page.made].map(([kind, { view }]) => [kind, view?.stats() ?? null])),
    }),
  };
}
