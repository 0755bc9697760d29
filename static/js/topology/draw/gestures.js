// @ts-check
/** Mouse, touch and pen on the map: pan, wheel, pinch, click, double-click, lasso. Tells what was meant; changes nothing itself. */

/** @typedef {{x: number, y: number}} Point px in the host */
/**
 * @typedef {object} Told
 * @property {(dx: number, dy: number) => void} onPan
 * @property {(factor: number, at: Point) => void} onZoom
 * @property {(at: Point, isAdding: boolean) => void} onClick
 * @property {(at: Point) => void} onDoubleClick
 * @property {(at: Point | null) => void} onHover null when the pointer left
 * @property {(line: Point[], isDone: boolean) => void} onLasso
 */

const SLOP_PX = 4;
const WHEEL_STEP = 0.0016;

/**
 * @param {HTMLElement} host @param {Told} told
 * @returns {() => void} stops listening
 */
export function startGestures(host, told) {
  const stop = new AbortController();
  const { signal } = stop;
  /** @type {Map<number, Point>} */
  const pointers = new Map();
  /** @type {Point | null} */
  let pressed = null;
  let isDragging = false;
  /** @type {Point[] | null} */
  let line = null;

  const pointOf = (/** @type {MouseEvent} */ event) => {
    const box = host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { far: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  };
  const end = () => {
    pressed = null;
    isDragging = false;
    line = null;
    delete host.dataset.drag;
  };

  host.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    host.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, pointOf(event));
    pressed = pointOf(event);
    isDragging = pointers.size > 1;
    line = event.shiftKey && pointers.size === 1 ? [pressed] : null;
  }, { signal });

  host.addEventListener("pointermove", (event) => {
    const at = pointOf(event);
    const before = pointers.get(event.pointerId);
    if (!before || !pressed) {
      told.onHover(at);
      return;
    }
    if (pointers.size === 2) {
      const was = spread();
      pointers.set(event.pointerId, at);
      const is = spread();
      told.onPan(is.middle.x - was.middle.x, is.middle.y - was.middle.y);
      if (was.far > 0) told.onZoom(is.far / was.far, is.middle);
      return;
    }
    if (!isDragging && Math.hypot(at.x - pressed.x, at.y - pressed.y) < SLOP_PX) return;
    isDragging = true;
    host.dataset.drag = line ? "lasso" : "pan";
    pointers.set(event.pointerId, at);
    if (line) {
      line.push(at);
      told.onLasso(line, false);
    } else told.onPan(at.x - before.x, at.y - before.y);
  }, { signal });

  host.addEventListener("pointerup", (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (line && isDragging) told.onLasso(line, true);
    else if (!isDragging && pressed) told.onClick(pointOf(event), event.shiftKey || event.ctrlKey || event.metaKey);
    if (pointers.size === 0) end();
  }, { signal });
  host.addEventListener("pointercancel", (event) => {
    pointers.delete(event.pointerId);
    if (line) told.onLasso([], true);
    end();
  }, { signal });
  host.addEventListener("pointerleave", () => pointers.size === 0 && told.onHover(null), { signal });
  host.addEventListener("dblclick", (event) => told.onDoubleClick(pointOf(event)), { signal });
  host.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    if (event.deltaX && !event.ctrlKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) told.onPan(-event.deltaX * unit, 0);
    else told.onZoom(Math.exp(-Math.max(-400, Math.min(400, event.deltaY * unit)) * WHEEL_STEP * (event.ctrlKey ? 5 : 1)), pointOf(event));
  }, { signal, passive: false });
  return () => stop.abort();
}
