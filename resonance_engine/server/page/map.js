// The map: tracks that sound alike lie close together. A click plays; the playlist is a line; a path leads from here to
// there.

import { add, makePath, start } from "./actions.js";
import { get } from "./api.js";
import { element, make, nameOf, paused, text } from "./dom.js";
import { MapGrid } from "./map_grid.js";
import { listenToPointers } from "./map_input.js";
import { MapOverlay } from "./map_overlay.js";
import { pointsOf } from "./map_points.js";
import { MapView } from "./map_view.js";
import { showProblem } from "./messages.js";
import { player } from "./player.js";
import { playlist } from "./playlist.js";
import { query } from "./query.js";
import { knownTrack, lookUp } from "./tracks.js";

const PALETTE = ["#2f7fc1", "#e08a00", "#0f9d76", "#c766a0", "#45a5dc", "#d55e00", "#a89a00", "#8467c9", "#96604f", "#12a5b5",
  "#7cb85a", "#e0706f", "#6b6ecf", "#a55194", "#5f9e3a", "#b3875f", "#4f7f8f", "#b05c3c", "#4a9c4a", "#a56fd0", "#8a8f2a", "#cf5b83", "#3f8f7f"];
const OTHER = "#8b9098", HOVER = 12, MOST_CENTRES = 24;
const state = { ids: [], at: new Map(), grid: null, names: [], centres: [], hovered: -1, chosen: -1, from: null, isPath: false, isOpen: false, isDue: false, hasKeys: false, loaded: null };
let points, overlay, view;

// Positions in a square, 0 to 1, with their proportions; y grows downwards.
function square({ x, y }) {
  const places = new Float32Array(2 * x.length);
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < x.length; at++) {
    [left, right, low, high] = [Math.min(left, x[at]), Math.max(right, x[at]), Math.min(low, y[at]), Math.max(high, y[at])];
  }
  const side = Math.max(right - left, high - low) || 1;
  for (let at = 0; at < x.length; at++) {
    places[2 * at] = 0.5 + (x[at] - (left + right) / 2) / side;
    places[2 * at + 1] = 0.5 - (y[at] - (low + high) / 2) / side;
  }
  return places;
}

// The middle of each cluster, the largest first.
function centresOf(places, clusters, names) {
  const groups = names.map((name) => ({ name, x: [], y: [] }));
  clusters.forEach((cluster, at) => {
    groups[cluster]?.x.push(places[2 * at]);
    groups[cluster]?.y.push(places[2 * at + 1]);
  });
  const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];
  const filled = groups.filter(({ x }) => x.length).sort((one, other) => other.x.length - one.x.length);
  return filled.slice(0, MOST_CENTRES).map(({ name, x, y }) => [name, median(x), median(y)]);
}

async function load() {
  const answer = await get("map"), places = square(answer);
  if (!points) {
    points = pointsOf(element("points"), redraw);
    document.documentElement.dataset.points = points.kind;
  }
  state.ids = answer.ids;
  state.at = new Map(answer.ids.map((id, at) => [id, at]));
  state.grid = new MapGrid(places);
  state.centres = centresOf(places, answer.clusters, answer.names);
  const shades = Uint8Array.from(answer.clusters, (cluster) => (cluster >= 0 && cluster < PALETTE.length ? cluster : PALETTE.length));
  points.load(places, shades, [...PALETTE, OTHER]);
  view.load(places);
}

export async function openMap() {
  state.isOpen = true;
  try {
    await (state.loaded ??= load());
    say("");
    view.fit();
    redraw();
    document.documentElement.dataset.map = state.ids.length;
  } catch (error) {
    state.loaded = null;
    say(error.message);
  }
}

export function closeMap() {
  state.isOpen = false;
  endPath();
  hover(-1);
}

function say(words) {
  element("map-message").textContent = words;
  element("map-message").hidden = !words;
}

function redraw() {
  if (state.isDue || !state.isOpen || !points) return;
  state.isDue = true;
  requestAnimationFrame(() => { state.isDue = false; draw(); });
}

function draw() {
  const began = performance.now(), count = state.ids.length;
  const size = Math.max(2.2, Math.min(13, 260 / Math.sqrt(count || 1) * Math.sqrt(view.zoom), 7 * Math.sqrt(view.zoom)));
  points.draw(view.now, size, count > 20_000 ? 0.75 : 0.9);
  overlay.begin();
  overlay.drawNames(state.centres.map(([name, x, y]) => [name, x * view.now.scale + view.now.x, y * view.now.scale + view.now.y]));
  const line = playlist.tracks.map(({ id }) => state.at.get(id)).filter((at) => at !== undefined);
  if (line.length) overlay.drawLine(line.map((at) => view.pixels(at)));
  const ring = (at, reach, colour) => { if (at !== undefined && at >= 0) overlay.ring(view.pixels(at), size / 2 + reach, colour); };
  query.ids("id").forEach((id) => ring(state.at.get(id), 5));
  if (player.track) ring(state.at.get(player.track.id), 7, overlay.accent);
  ring(state.chosen, 4);
  ring(state.hovered, 3);
  if (state.from !== null) ring(state.at.get(state.from), 9, overlay.line);
  if (state.hasKeys) overlay.drawCross();
  document.documentElement.dataset.drawn = (performance.now() - began).toFixed(2);
}

// The track under the pointer, named as soon as its name is known.
const lookUpLater = paused(60, async (at) => {
  try {
    await lookUp(state.ids[at]);
    if (state.hovered === at) showTip(at);
  } catch {
    // gone since the map was made
  }
});

function hover(at, x = 0, y = 0) {
  if (at !== state.hovered) {
    state.hovered = at;
    redraw();
  }
  element("overlay").style.cursor = at >= 0 ? "pointer" : "";
  element("tip").hidden = at < 0;
  if (at < 0) return;
  [element("tip").dataset.x, element("tip").dataset.y] = [x, y];
  if (knownTrack(state.ids[at])) showTip(at);
  else {
    element("tip").hidden = true;
    lookUpLater(at);
  }
}

function showTip(at) {
  const tip = element("tip"), track = knownTrack(state.ids[at]), canvas = element("overlay");
  tip.replaceChildren(text(track.title, "title", "div"), text([track.artist, track.album].filter(Boolean).join(" · "), "dim", "div"));
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(Number(tip.dataset.x) + 14, canvas.clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(Number(tip.dataset.y) + 14, canvas.clientHeight - tip.offsetHeight - 4))}px`;
}

async function choose(at) {
  const id = state.ids[at];
  if (state.isPath) return stepPath(id);
  state.chosen = at;
  redraw();
  try {
    const { track } = await lookUp(id);
    if (state.chosen !== at) return undefined;
    player.toggle({ track });
    showPoint(track);
  } catch (error) {
    showProblem(error);
  }
  return undefined;
}

function showPoint(track) {
  const box = element("point"), button = (words, click) => make("button", { type: "button", text: words, on: { click } });
  box.replaceChildren(make("div", { class: "what" }, text(track.title, "title"), text([track.artist, track.album].filter(Boolean).join(" · "), "dim")),
    make("div", { class: "row" }, button("Similar", () => start(track)), button("Add", () => add(track)), button("Path from here", () => beginPath(track.id))));
  box.hidden = false;
  element("spoken").textContent = nameOf(track);
}

function beginPath(from = null) {
  [state.isPath, state.from] = [true, from];
  element("path").setAttribute("aria-pressed", "true");
  say(from === null ? "A path: choose where it begins." : "A path: choose where it leads.");
  redraw();
}

function endPath() {
  [state.isPath, state.from] = [false, null];
  element("path").setAttribute("aria-pressed", "false");
  if (state.loaded) say("");
  redraw();
}

async function stepPath(id) {
  if (state.from === null) return beginPath(id);
  if (state.from === id) return say("A path: choose another track for its end.");
  const { from } = state;
  say("The path is being made.");
  await makePath(from, id);
  return endPath();
}

const nearest = (x, y, reach = HOVER) => state.grid?.nearest(...view.place(x, y), reach / view.now.scale) ?? -1;

function middle() {
  const canvas = element("overlay");
  return nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Math.min(canvas.clientWidth, canvas.clientHeight) / 2);
}

const readMiddle = paused(350, async () => {
  const at = middle();
  if (at >= 0) element("spoken").textContent = nameOf((await lookUp(state.ids[at])).track);
});

const keys = {
  ArrowLeft: () => view.shift(60, 0), ArrowRight: () => view.shift(-60, 0), ArrowUp: () => view.shift(0, 60), ArrowDown: () => view.shift(0, -60),
  Enter: () => { if (middle() >= 0) choose(middle()); }, p: () => { if (middle() >= 0) stepOrBegin(state.ids[middle()]); }, Escape: endPath,
};
const stepOrBegin = (id) => (state.isPath ? stepPath(id) : beginPath(id));

function listenToKeys(canvas) {
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (factor) view.zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
    state.hasKeys = true;
    readMiddle();
    redraw();
  });
  canvas.addEventListener("blur", () => { state.hasKeys = false; redraw(); });
}

function showOnMap({ detail: id }) {
  state.loaded?.then(() => {
    const at = state.at.get(id);
    if (at === undefined) return say("This track is not on the map.");
    state.chosen = at;
    view.focus(at);
    showPoint(knownTrack(id));
    return redraw();
  }).catch(() => {});
}

export function startMap() {
  const canvas = element("overlay");
  [overlay, view] = [new MapOverlay(canvas), new MapView(canvas)];
  listenToPointers(canvas, view, { redraw, hover: (x, y) => hover(nearest(x, y), x, y), leave: () => hover(-1), click: (x, y) => {
    const at = nearest(x, y);
    if (at >= 0) choose(at);
  } });
  listenToKeys(canvas);
  new ResizeObserver(() => { if (state.isOpen) { view.fit(); redraw(); } }).observe(canvas);
  element("whole").addEventListener("click", () => { view.showAll(); redraw(); });
  element("path").addEventListener("click", () => (state.isPath ? endPath() : beginPath()));
  for (const source of [player, playlist, query]) source.addEventListener("change", redraw);
  document.addEventListener("theme", redraw);
  document.addEventListener("show-on-map", showOnMap);
}
