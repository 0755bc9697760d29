// @ts-check
/**
 * One table of the snapshot: typed number columns and text columns of equal length, found by id.
 *
 * Rule 1: rows have no order that means anything; a removed row's place is taken by the last row.
 * Rule 2: a column the server does not send is 0 or "", a column we do not know is dropped.
 */

/** @typedef {import("./types.js").WireTable} WireTable */
/** @typedef {import("./types.js").WireRow} WireRow */

const FIRST_CAPACITY = 16;

export class Table {
  /**
   * @param {string[]} numberNames "id" is one of them
   * @param {string[]} textNames
   */
  constructor(numberNames, textNames) {
    /** @type {Record<string, Float64Array>} */
    this.numbers = {};
    /** @type {Record<string, string[]>} */
    this.texts = {};
    /** @type {Map<number, number>} id → row */
    this.rowOf = new Map();
    this.size = 0;
    this.capacity = 0;
    for (const name of numberNames) this.numbers[name] = new Float64Array(0);
    for (const name of textNames) this.texts[name] = [];
  }

  /**
   * Replaces all rows. Columns named in `deltaNames` hold first differences.
   *
   * @param {WireTable | undefined} wire
   * @param {Set<string>} deltaNames
   */
  load(wire, deltaNames) {
    const ids = wire?.id ?? [];
    this.size = ids.length;
    this.capacity = ids.length;
    for (const name of Object.keys(this.numbers)) {
      const column = new Float64Array(this.size);
      const sent = wire?.[name];
      if (sent) {
        let sum = 0;
        const isDelta = deltaNames.has(name);
        for (let row = 0; row < column.length; row++) {
          const value = Number(sent[row] ?? 0);
          sum = isDelta ? sum + value : value;
          column[row] = sum;
        }
      }
      this.numbers[name] = column;
    }
    for (const name of Object.keys(this.texts)) {
      const sent = wire?.[name];
      const column = new Array(this.size);
      for (let row = 0; row < column.length; row++) column[row] = String(sent?.[row] ?? "");
      this.texts[name] = column;
    }
    this.rowOf = new Map();
    const id = this.numbers.id;
    for (let row = 0; row < this.size; row++) this.rowOf.set(id[row], row);
  }

  /**
   * Adds the row or replaces the one with its id.
   *
   * @param {WireRow} wireRow
   * @returns {boolean} true when the id is new
   */
  upsert(wireRow) {
    const id = Number(wireRow.id);
    let row = this.rowOf.get(id);
    const isNew = row === undefined;
    if (row === undefined) {
      row = this.size++;
      if (this.size > this.capacity) this.#grow();
      this.rowOf.set(id, row);
    }
    for (const name of Object.keys(this.numbers)) this.numbers[name][row] = Number(wireRow[name] ?? 0);
    for (const name of Object.keys(this.texts)) this.texts[name][row] = String(wireRow[name] ?? "");
    return isNew;
  }

  /** @param {number} id @returns {boolean} false when there was no such row */
  remove(id) {
    const row = this.rowOf.get(id);
    if (row === undefined) return false;
    const last = --this.size;
    for (const column of Object.values(this.numbers)) column[row] = column[last];
    for (const column of Object.values(this.texts)) {
      column[row] = column[last];
      column.length = last;
    }
    this.rowOf.delete(id);
    if (row !== last) this.rowOf.set(this.numbers.id[row], row);
    return true;
  }

  /** @returns {WireRow[]} rows by id, for comparing and for tests */
  toRows() {
    const order = [...this.rowOf.keys()].sort((a, b) => a - b);
    return order.map((id) => {
      const row = /** @type {number} */ (this.rowOf.get(id));
      /** @type {WireRow} */
      const plain = {};
      for (const [name, column] of Object.entries(this.numbers)) plain[name] = column[row];
      for (const [name, column] of Object.entries(this.texts)) plain[name] = column[row];
      return plain;
    });
  }

  #grow() {
    this.capacity = Math.max(FIRST_CAPACITY, Math.ceil(this.capacity * 1.5), this.size);
    for (const [name, column] of Object.entries(this.numbers)) {
      const wider = new Float64Array(this.capacity);
      wider.set(column);
      this.numbers[name] = wider;
    }
  }
}
