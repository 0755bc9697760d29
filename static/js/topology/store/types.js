// @ts-check
/**
 * The words the map's modules share: the wire format of `GET /api/v1/topology` and of `topology` events.
 *
 * This file holds types only. It must not know a canvas, a socket or the address bar.
 *
 * @typedef {{x: number, y: number, w: number, h: number}} Box  world units unless a name says px
 * @typedef {{x: number, y: number, k: number}} View  the world point in the middle of the picture, and px per world unit
 * @typedef {{w: number, h: number}} Size  CSS pixels
 * @typedef {"region" | "vnet" | "subnet" | "nic" | "collector" | "peering" | "mirror"} NodeKind
 * @typedef {{kind: NodeKind, id: number}} NodeRef
 * @typedef {Record<string, Array<number | string | boolean | null>>} WireTable
 * @typedef {{cell_w: number, cell_h: number, subnet_pad: number, subnet_head: number, vnet_pad: number, vnet_head: number,
 *   region_pad?: number, region_head?: number}} Geometry
 * @typedef {{subscriptions: number, vnets: number, subnets: number, nics: number, peerings: number, collectors: number,
 *   mirrors: number, ghosts: number, nics_mirrorable: number}} Counts
 * @typedef {{id: string, name: string, stale_since: number}} SubscriptionRow  unix seconds, 0 = fresh
 * @typedef {{v: number, revision: string, seq: number, series_revision: number, series: string[], is_demo: boolean, built_at: string,
 *   counts: Counts, world: Box, columns: Record<string, WireTable>, subscriptions: SubscriptionRow[],
 *   geometry: Geometry, encoding?: {delta?: string[]}}} Snapshot
 * @typedef {Record<string, number | string | boolean | null>} WireRow
 * @typedef {{revision: string, tables: Record<string, {upsert?: WireRow[], remove?: number[]}>, counts?: Counts,
 *   world?: Box, built_at?: string, subscriptions?: SubscriptionRow[] | null, series_revision?: number, series?: string[] | null}} Delta
 * @typedef {{kind: string, seq?: number, revision?: string, delta?: Delta | null, is_refetch?: boolean, server_time?: string | number,
 *   [more: string]: unknown}} Message
 */

export {};
