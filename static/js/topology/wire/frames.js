// @ts-check
/**
 * A frame of rates as the socket brings it, once a second: little-endian `u32 seq, u32 series_revision, f64 unix_s, f32 bits_per_s[n],
 * f32 packets_per_s[n]`, in the order of the snapshot's `series` of that series_revision. NaN is unknown.
 *
 * This module reads octets and nothing else; whether a frame may be drawn is for the store of rates to say (live/rates.js).
 */

/**
 * @typedef {{seq: number, series_revision: number, unix_s: number, bits: Float32Array, packets: Float32Array}} Frame
 *   `unix_s` is the server's second of the rates; bits and packets are per second and share one buffer
 */

const HEAD_OCTETS = 16;

/**
 * @param {ArrayBuffer} octets
 * @returns {Frame | null} null: this is no frame
 */
export function decodeFrame(octets) {
  const room = octets.byteLength - HEAD_OCTETS;
  if (room < 0 || room % 8) return null;
  const head = new DataView(octets, 0, HEAD_OCTETS);
  const unix_s = head.getFloat64(8, true);
  if (!Number.isFinite(unix_s)) return null;
  const count = room / 8;
  return {
    seq: head.getUint32(0, true),
    series_revision: head.getUint32(4, true),
    unix_s,
    // Typed arrays have the order of the machine, and every machine with a browser is little-endian.
    bits: new Float32Array(octets, HEAD_OCTETS, count),
    packets: new Float32Array(octets, HEAD_OCTETS + 4 * count, count),
  };
}
