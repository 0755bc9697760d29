// @ts-check
/** The few ways in which the wall writes into its page: elements are made once, and a text is written only when it is another one. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {string} [className] @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** @param {Element} element @param {string} text */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {boolean} isShown */
export function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

/** @param {HTMLElement | SVGElement} element @param {string} name of a data attribute @param {string} value */
export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** @param {string} id @returns {HTMLElement} Throws when the template has no such element. */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no part ${id}.`);
  return found;
}

/** A list whose rows are made once and used again: rows beyond its length are hidden, never thrown away. @template Row @template Made */
export class Rows {
  /**
   * @param {HTMLElement} host
   * @param {() => {element: HTMLElement, parts: Made}} make
   * @param {(parts: Made, row: Row, element: HTMLElement, place: number) => void} fill
   */
  constructor(host, make, fill) {
    this.host = host;
    this.make = make;
    this.fill = fill;
    /** @type {{element: HTMLElement, parts: Made}[]} */
    this.made = [];
  }

  /** @param {readonly Row[]} rows */
  set(rows) {
    rows.forEach((row, place) => {
      let one = this.made[place];
      if (!one) {
        one = this.make();
        this.made.push(one);
        this.host.append(one.element);
      }
      show(one.element, true);
      this.fill(one.parts, row, one.element, place);
    });
    for (const left of this.made.slice(rows.length)) show(left.element, false);
  }
}

/**
 * Hides the rows that do not fit wholly into their host, which cuts off what is beyond its end.
 *
 * @template Row, Made @param {Rows<Row, Made>} rows just set @returns {number} how many are left
 */
export function fitRows(rows) {
  const end = rows.host.getBoundingClientRect().bottom + 1;
  // Read all before anything is written, so that the page is laid out once.
  const isFitting = rows.made.map(({ element }) => !element.hidden && element.getBoundingClientRect().bottom <= end);
  rows.made.forEach(({ element }, place) => show(element, isFitting[place] === true));
  return isFitting.filter(Boolean).length;
}
