// The list in the middle: what sounds like the seeds, or the whole library while nothing is searched for.

import { actionsOf, add, openView, start } from "./actions.js";
import { get } from "./api.js";
import { draggable } from "./drag.js";
import { element, formatCount, isCalm, make } from "./dom.js";
import { openMenu } from "./menu.js";
import { plain, show, showProblem } from "./messages.js";
import { queueOf } from "./player.js";
import { query } from "./query.js";
import { addButton, duration, markAllPlaying, moreButton, playButton, reasons, showProgress, walkRows, words } from "./rows.js";
import { showSeeds } from "./seeds.js";
import { remember } from "./tracks.js";

const PAGE = 50;
const MOVE = { duration: 220, easing: "cubic-bezier(.2,.7,.3,1)" };
let request = null, shown = [], browsed = 0, total = 0, status = null;

function rowOf(track, match) {
  const row = make("li", { class: "track", data: { id: track.id } },
    playButton({ track }, () => queueOf(shown)), words(track, start), match ? reasons(match) : null,
    match ? make("span", { class: "score", text: match.score.toFixed(2), title: "Likeness, 1 at most" }) : duration(track),
    addButton(track, (one) => add(one)), moreButton(track, (button) => openMenu(button, actionsOf(track))));
  draggable(row, () => ({ track, label: track.title }));
  return row;
}

// Puts rows in place of those that are there. Rows that stay move to their new place, where motion is welcome.
function place(rows) {
  const list = element("tracks"), before = new Map();
  if (!isCalm()) for (const row of list.children) before.set(row.dataset.id, row.getBoundingClientRect().top);
  const focused = document.activeElement?.closest?.("#tracks li"), at = [...list.children].indexOf(focused);
  const control = focused ? [...focused.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
  list.replaceChildren(...rows);
  for (const row of rows) {
    const top = before.get(row.dataset.id);
    if (top !== undefined) {
      const way = top - row.getBoundingClientRect().top;
      if (way) row.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], MOVE);
    } else if (before.size) row.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
  }
  if (focused) {  // the row, or the one in the place of one that is gone
    const row = rows.find((one) => one.dataset.id === focused.dataset.id) ?? rows[Math.min(at, rows.length - 1)];
    row?.querySelectorAll("a, button")[control]?.focus({ preventScroll: true });
  }
  markAllPlaying();
  showProgress();
}

// A remark; what is between backticks is something to type.
function noteOf(note) {
  const parts = note.split("`").map((part, place) => (place % 2 ? make("code", { text: part }) : part));
  return make("li", { class: "text", dir: "auto" }, ...parts);
}

function showNotes(notes) {
  element("notes").replaceChildren(...[...new Set(notes)].map((note) => noteOf(plain(note))));
}

function describe() {
  if (query.file) return "Sounds like the file";
  if (query.hasTrack) return query.get("text").trim() ? "Sounds like it, and fits the words" : "Sounds like it";
  return `Sounds like “${query.get("text").trim()}”`;
}

async function showMatches() {
  const signal = (request = new AbortController()).signal;
  element("results").setAttribute("aria-busy", "true");
  element("listed").textContent = describe();
  if (query.file) element("count").textContent = "The file is being analysed";
  showSeeds();
  try {
    const { matches, seeds, notes } = await query.fetch(signal);
    remember(seeds);
    shown = remember(matches.map(({ track }) => track));
    place(matches.map((match) => rowOf(match.track, match)));
    element("count").textContent = formatCount(matches.length);
    element("further").hidden = matches.length < query.count || !query.mayShowMore;
    showNotes(notes);
    showSeeds(seeds);
  } catch (error) {
    if (error.name === "AbortError") return;
    shown = [];
    place([]);
    element("count").textContent = "";
    element("further").hidden = true;
    showNotes([error.message]);
  }
  element("results").removeAttribute("aria-busy");
}

async function browse(offset = 0) {
  const signal = (request = new AbortController()).signal;
  element("results").removeAttribute("aria-busy");
  element("listed").textContent = "Your music";
  try {
    const page = await get("tracks", { offset, limit: PAGE }, signal);
    const tracks = remember(page.tracks);
    shown = offset ? [...shown, ...tracks] : tracks;
    total = page.total;
    browsed = offset + tracks.length;
    const rows = tracks.map((track) => rowOf(track, null));
    if (offset) {
      element("tracks").append(...rows);
      markAllPlaying();
    } else place(rows);
    element("count").textContent = total ? `${formatCount(total)}; choose one to find what sounds like it` : "";
    element("further").hidden = browsed >= total;
    element("surprise").hidden = !total;
  } catch (error) {
    if (error.name !== "AbortError") showNotes([error.message]);
    return;
  }
  showNotes(emptyNotes());
}

// What to do in a library without tracks, or one of which little is analysed.
function emptyNotes() {
  if (!status) return [];
  if (!status.tracks) return ["The library has no tracks yet: `beet import` brings them."];
  if (!status.analysed) return ["Nothing is analysed yet, so nothing can be compared: run `beet resonance analyze`."];
  if (status.analysed + status.failed < status.tracks) {
    return [`${formatCount(status.analysed)} of ${status.tracks.toLocaleString("en")} are analysed and come up as matches; \`beet resonance analyze\` goes on with the rest.`];
  }
  return [];
}

async function surprise() {
  try {
    const { tracks } = await get("tracks", { offset: Math.floor(Math.random() * total), limit: 1 });
    if (tracks.length) start(remember(tracks)[0]);
    else show("The library has no tracks.");
  } catch (error) {
    showProblem(error);
  }
}

export const listedTracks = () => shown;

export function refresh() {
  request?.abort();
  element("surprise").hidden = !query.isEmpty || !total;
  document.body.classList.toggle("searching", !query.isEmpty);
  if (query.isEmpty) {
    showSeeds();
    browse();
  } else showMatches();
}

export function setStatus(now) {
  status = now;
  if (query.isEmpty) showNotes(emptyNotes());
}

export function startResults() {
  walkRows(element("tracks"));
  query.addEventListener("change", refresh);
  element("further").addEventListener("click", () => (query.isEmpty ? browse(browsed) : query.showMore()));
  element("surprise").addEventListener("click", surprise);
  element("home").addEventListener("click", (event) => {
    event.preventDefault();
    query.begin({ without: [] });
    openView("find");
  });
}
