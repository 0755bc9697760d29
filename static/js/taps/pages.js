// @ts-check
/**
 * The forms about changes: dialogs, times in the viewer's zone, fields that belong to a choice, the words under the chosen TAP. Everything works
 * by delegation, so parts swapped in by htmx need no set-up; without script the forms still work, with times in UTC.
 */
import { announce } from "../ui/toast.js";
import { startKeeping } from "./keep.js";
import { inHours, localText } from "./when.js";

/** @param {Document} page */
function startDialogs(page) {
  page.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const opener = event.target.closest("[data-open-dialog]");
    if (opener instanceof HTMLElement) {
      const dialog = page.getElementById(opener.dataset.openDialog ?? "");
      if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
    }
    if (event.target.closest("[data-close-dialog]")) event.target.closest("dialog")?.close();
  });
  for (const dialog of page.querySelectorAll("dialog[data-is-open]")) if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

/** The zone that times are typed in is the viewer's, unless the form came back with one. @param {Document} page */
function startZone(page) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  for (const field of page.querySelectorAll("input[name=zone]")) {
    if (field instanceof HTMLInputElement && !field.value) field.value = zone;
  }
  const shown = page.querySelector("input[name=zone]");
  for (const words of page.querySelectorAll("[data-zone-words]")) {
    if (shown instanceof HTMLInputElement) words.textContent = shown.value;
  }
}

/** Fields that only one choice needs are shown with it. @param {Document} page */
function paintChoices(page) {
  for (const part of page.querySelectorAll("[data-shown-for]")) {
    if (!(part instanceof HTMLElement)) continue;
    const form = part.closest("form");
    const chosen = form?.querySelector(`input[name="${part.dataset.shownBy}"]:checked`);
    part.hidden = !(chosen instanceof HTMLInputElement && chosen.value === part.dataset.shownFor);
  }
}

/** "in 8 h", "in 7 d": fills the field that they stand under. @param {Document} page */
function startPresets(page) {
  for (const presets of page.querySelectorAll("[data-presets]")) if (presets instanceof HTMLElement) presets.hidden = false;
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-in-hours]") : null;
    if (!(button instanceof HTMLElement)) return;
    const presets = button.closest("[data-presets]");
    const field = presets instanceof HTMLElement ? page.getElementById(presets.dataset.presets ?? "") : null;
    const zone = field?.closest("form")?.querySelector("input[name=zone]");
    if (!(field instanceof HTMLInputElement) || !(zone instanceof HTMLInputElement)) return;
    const hours = button.dataset.inHours ?? "";
    field.value = hours === "" ? "" : localText(inHours(new Date(), Number(hours)), zone.value);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

/** The bar below the chooser says what would happen with the TAP that is marked. @param {Document} page */
function paintGoal(page) {
  const chosen = page.querySelector("#chooser input[name=tap]:checked");
  const words = page.getElementById("go-words");
  if (words && chosen instanceof HTMLInputElement && chosen.dataset.goalWords) words.textContent = chosen.dataset.goalWords;
}

/** A change that follows by itself is told to a screen reader when its state is another one, not at every step. @param {Document} page */
function startStates(page) {
  const shown = () => page.getElementById("change-part")?.dataset.state ?? "";
  let last = shown();
  page.addEventListener("htmx:afterSettle", () => {
    if (shown() === last) return;
    last = shown();
    const words = page.querySelector("#change-head [data-test=state]")?.lastChild?.textContent?.trim();
    if (words) announce(`${page.querySelector("h1")?.textContent?.trim() ?? ""}: ${words}`);
  });
}

startKeeping(document);
startDialogs(document);
startStates(document);
startZone(document);
startPresets(document);
paintChoices(document);
paintGoal(document);
document.addEventListener("change", () => {
  paintChoices(document);
  paintGoal(document);
});
