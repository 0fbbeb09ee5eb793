// Pointers and the wheel on the map: dragging moves it, two fingers or the wheel zoom, a click chooses.

const STILL = 5;  // pixels that a click may move

// `on` has redraw(), hover(x, y), leave() and click(x, y).
export function listenToPointers(canvas, view, on) {
  const held = new Map();
  let travelled = 0;
  const spread = () => {
    const [one, other] = held.values();
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, reach: Math.hypot(one.x - other.x, one.y - other.y) };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    travelled = held.size > 1 ? Infinity : 0;
    on.leave();
  });
  canvas.addEventListener("pointermove", (event) => {
    const { offsetX: x, offsetY: y } = event, last = held.get(event.pointerId);
    if (!last) {
      on.hover(x, y);
      return;
    }
    travelled += Math.hypot(x - last.x, y - last.y);
    const before = held.size === 2 ? spread() : null;
    held.set(event.pointerId, { x, y });
    if (before) {
      const after = spread();
      view.shift(after.x - before.x, after.y - before.y);
      view.zoomAt(after.x, after.y, after.reach / (before.reach || 1));
    } else if (travelled > STILL) view.shift(x - last.x, y - last.y);
    on.redraw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held.delete(event.pointerId) && travelled <= STILL && !held.size) on.click(event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { if (!held.size) on.leave(); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
    on.redraw();
  }, { passive: false });
}
