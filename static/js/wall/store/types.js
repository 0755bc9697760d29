// @ts-check
/**
 * The words that the wall's modules share: what `GET /wall/state` answers, what a `picture` holds, and what a view must offer.
 *
 * This file holds types only. Times that end in `_ms` are the server's, unix ms; rates are per second; what is not known is null, never 0.
 *
 * @typedef {"overview" | "collector" | "map" | "sources" | "alarms"} ViewKind
 * @typedef {{x?: number, y?: number, k?: number, node?: number, unit?: "bits" | "packets", collector?: string, number?: number}} ViewOptions
 *   a map without x, y, k is fitted to all there is
 * @typedef {{id: number, name: string, kind: ViewKind, options: ViewOptions}} View
 * @typedef {"fixed" | "playlist" | "pushed" | "scene"} Why
 * @typedef {{from_ms: number, until_ms: number | null, view: number, why: Why, by: string}} Slot  `by`: who pushed it
 * @typedef {{from_ms: number, until_ms: number, percent: number}} Dim
 * @typedef {"normal" | "incident" | "visitors"} Scene
 * @typedef {{id: number, name: string, place: string, role: "stage" | "picture", group: {id: number, name: string} | null,
 *   theme: "dark" | "light", scale: number, time_zone: string}} Display
 * @typedef {{display: Display, scene: Scene, is_masked: boolean, is_demo: boolean, version: string, server_ms: number,
 *   views: Record<string, View>, slots: Slot[], dims: Dim[], identify_until_ms: number | null, reload_asked_ms: number | null,
 *   next_reload_ms: number | null}} State
 *
 * @typedef {"alarm" | "warning" | "notice" | "" | string} Severity
 * @typedef {{kind: string, name: string, words: string, since_ms: number | null}} BrokenHop
 * @typedef {{number: number, spoken: string, severity: Severity, title: string, sentence: string, opened_ms: number, changed_ms: number,
 *   owner: string, is_taken: boolean, is_acknowledged: boolean, is_muted: boolean, muted_until_ms: number | null, rules: string[], broken_hop: BrokenHop | null, child_count: number,
 *   happened_before: {at_ms: number, words: string}[], collector: string, qr: string}} Alarm  `spoken`: "A-117"; `qr`: address of an SVG, or "";
 *   `owner` is "" before visitors, whoever has taken it
 * @typedef {object} Collector
 * @property {number | null} id node id on the map
 * @property {string} key
 * @property {string} name
 * @property {string} state a key of topology's LIVE_STATES
 * @property {string} words one sentence, "" when there is nothing to say
 * @property {string[]} rules
 * @property {string} alarm "A-117" or ""
 * @property {number | null} capacity_bits_per_s null = not known, so not judged
 * @property {number | null} drops_per_s
 * @property {number | null} drops_share 0..1 of the packets
 * @property {string} origin who counts
 * @property {number | null} interval_s
 * @property {number | null} stale_after_s older than that is stale, by its source's own interval
 * @property {number | null} lag_s
 * @property {number | null} measured_ms the moment that its numbers are of
 * @property {number | null} heard_ms when its last report came
 * @property {number | null} bits_per_s inner bits
 * @property {number | null} wire_bits_per_s
 * @property {number | null} packets_per_s
 * @property {number | null} share of the capacity, 1 = full
 * @property {boolean} is_estimate
 * @property {number} members
 * @property {number | null} members_missing
 * @property {number | null} mirrors
 * @property {(number | null)[] | null} spark bits/s, oldest first; null when it is not kept for this one
 * @property {boolean} [has_sources] whether it counts each source by itself
 * @property {number} spark_step_s
 *
 * @typedef {{nic: string, vnet: string, collector: string, collector_key?: string, bits_per_s: number | null, packets_per_s: number | null, measured_ms: number | null}} Source
 * @typedef {{why: string, since_ms: number | null}} Unread  a part that could not be read: it is as it was at `since_ms`
 * @typedef {{at_ms: number, kind: "alarm" | "cleared" | "change" | "sync" | "deed", severity: Severity, words: string}} Happening
 * @typedef {{kind: "picture", at_ms: number,
 *   counts: {alarms: number, untaken: number, notices: number, muted: number, muted_next_ends_ms: number | null},
 *   alarms: Alarm[], more_alarms: number, collectors: Collector[], collector_counts: Record<string, number>,
 *   totals: {bits_per_s: number | null, packets_per_s: number | null, known: number | null, of: number | null, mirrors: number | null, nics: number | null, silent: number | null},
 *   sources: Source[], sources_of: Record<string, Source[] | null>, unread: Record<string, {why: string, since_ms: number | null}>, inventory: {synced_ms: number | null, state: string, words: string},
 *   meter: {state: "live" | "stopped" | "unknown", since_ms: number | null},
 *   judging: {evaluated_ms: number | null, settled_ms: number | null, blind_since_ms: number | null, blind_reason: string}, events: Happening[]}} Picture
 *   of `totals.of` collectors `totals.known` have a rate; `judging.settled_ms`: until then rules wait, null while nothing is measured; `collector_counts` has "total" and one count for each state; `unread`: parts that could not be
 *   read lately, as of when (null: never, then they are empty here; see store/picture.js)
 *
 * @typedef {"connecting" | "open" | "waiting" | "revoked" | "unpaired"} Phase
 * @typedef {{phase: Phase, lost_ms: number | null, retry_ms: number | null, attempt: number}} Line
 *   `lost_ms`: server's time of the last word from it; `retry_ms`: server's time of the next try
 * @typedef {"starting" | "live" | "stopped" | "lost"} Feed  how far what is shown can be trusted
 *
 * @typedef {"state" | "picture" | "frame" | "second" | "topology"} What  why a view is asked to draw
 * @typedef {object} WallView
 * @property {(view: View) => void} show it comes into the picture, or its options changed; draws all of it
 * @property {(what: What) => void} update something of the model is new; only called while it is shown
 * @property {() => void} resize
 * @property {() => void} destroy
 * @property {() => Record<string, unknown>} stats for tests and the report
 *
 * @typedef {object} MapOnWall  fills the host that it is attached to
 * @property {(host: HTMLElement) => void} attach
 * @property {(options: ViewOptions) => void} show
 * @property {(what: What) => void} update
 * @property {() => void} resize
 * @property {() => void} destroy
 * @property {() => Record<string, unknown>} stats for tests
 */

export {};
