// @ts-check
/** Boxes that tick others: `data-check-all` those of its table, `data-check-group` those of its table body. The form sends the rest. */

/** @param {Document} page */
export function startChecks(page) {
  page.addEventListener("change", (event) => {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.type !== "checkbox") return;
    const table = box.closest("table");
    if (!table) return;
    const isAll = box.matches("[data-check-all]");
    const part = isAll ? table : box.matches("[data-check-group]") ? box.closest("tbody") : null;
    for (const one of part?.querySelectorAll("input[type=checkbox]") ?? []) {
      if (one instanceof HTMLInputElement) one.checked = box.checked;
    }
    for (const body of table.tBodies) tell(body.querySelector("[data-check-group]"), body);
    tell(table.querySelector("[data-check-all]"), table);
  });
}

/** Shows on a box whether all, some or none of those it ticks are ticked. @param {Element | null} box @param {HTMLElement} part */
function tell(box, part) {
  if (!(box instanceof HTMLInputElement)) return;
  const boxes = [...part.querySelectorAll("input[type=checkbox][name]")].filter((one) => one instanceof HTMLInputElement);
  const ticked = boxes.filter((one) => one instanceof HTMLInputElement && one.checked).length;
  box.checked = boxes.length > 0 && ticked === boxes.length;
  box.indeterminate = ticked > 0 && ticked < boxes.length;
}
