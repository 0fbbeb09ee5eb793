// Rows are dragged into the playlist and within it: with a mouse anywhere, with a finger by a row's grip, so that lists
// still scroll. A row carries { track } from elsewhere, or { uid } of the playlist.

import { element, make } from "./dom.js";

const FAR = 6;  // pixels that make a drag of a press
const EDGE = 40, STEP = 12;  // pixels from an edge at which a list scrolls, and by how much
let drop = () => {};  // set by playlist_view.js: takes what a row carries and the place in the list

export const onDrop = (take) => { drop = take; };

export function draggable(row, carry) {
  row.addEventListener("pointerdown", (event) => {
    const isGrip = Boolean(event.target.closest(".grip"));
    if (event.button || (event.pointerType !== "mouse" && !isGrip)) return;
    if (!isGrip && event.target.closest("input, button:not(.play)")) return;
    const begun = { x: event.clientX, y: event.clientY, ghost: null };
    const track = (moved) => move(moved, begun, row, carry);
    const end = (ended) => {
      document.removeEventListener("pointermove", track);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      document.removeEventListener("keydown", cancel, true);
      if (begun.ghost) finish(ended, begun, row, carry);
    };
    const cancel = (pressed) => {
      if (pressed.key === "Escape" && begun.ghost) end({ type: "pointercancel" });
    };
    document.addEventListener("pointermove", track);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
    document.addEventListener("keydown", cancel, true);
  });
}

function move(event, begun, row, carry) {
  if (!begun.ghost) {
    if (Math.hypot(event.clientX - begun.x, event.clientY - begun.y) < FAR) return;
    begun.ghost = make("div", { id: "ghost", class: "text", dir: "auto", text: carry().label });
    document.body.append(begun.ghost);
    document.body.classList.add("dragging");
    row.classList.add("dragged");
    getSelection().removeAllRanges();
  }
  event.preventDefault();
  begun.ghost.style.translate = `${event.clientX + 10}px ${event.clientY + 8}px`;
  const list = element("items"), { top, bottom } = list.getBoundingClientRect();
  if (event.clientY < top + EDGE) list.scrollTop -= STEP;
  else if (event.clientY > bottom - EDGE) list.scrollTop += STEP;
  mark(placeAt(event));
}

// The place in the playlist below the pointer, -1 elsewhere.
function placeAt({ clientX, clientY }) {
  const box = element("playlist").getBoundingClientRect();
  if (clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom) return -1;
  const rows = [...element("items").children];
  const below = rows.findIndex((row) => {
    const { top, height } = row.getBoundingClientRect();
    return clientY < top + height / 2;
  });
  return below < 0 ? rows.length : below;
}

function mark(place) {
  const rows = [...element("items").children];
  element("playlist").classList.toggle("target", place >= 0);
  rows.forEach((row, at) => {
    row.classList.toggle("before", at === place);
    row.classList.toggle("after", at === rows.length - 1 && place === rows.length);
  });
}

function finish(event, begun, row, carry) {
  const place = event.type === "pointerup" ? placeAt(event) : -1;
  begun.ghost.remove();
  document.body.classList.remove("dragging");
  row.classList.remove("dragged");
  mark(-1);
  // The click that a browser makes of the same press is none.
  const stop = (click) => { click.preventDefault(); click.stopPropagation(); };
  document.addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => document.removeEventListener("click", stop, { capture: true }), 50);
  if (place >= 0) drop(carry(), place);
}
