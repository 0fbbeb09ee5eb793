// What can be done with a track, from a list, the playlist or the map.

import { get } from "./api.js";
import { element, formatCount, nameOf } from "./dom.js";
import { show, showProblem } from "./messages.js";
import { player } from "./player.js";
import { playlist } from "./playlist.js";
import { query } from "./query.js";
import { lookUp, remember } from "./tracks.js";

export const PATH_LENGTH = 12;
const UNDO = { name: "Undo", run: () => playlist.undo() };
const views = { open: () => {} };  // set by main.js: opens a view by its name

export const onView = (open) => { views.open = open; };
export const openView = (name) => views.open(name);

export function start(track) {
  query.startFrom(track.id);
  openView("find");
}

export function add(track, at = undefined) {
  playlist.add([track], at);
  const words = `${nameOf(track)} was added.`;
  if (element("playlist").offsetParent) element("spoken").textContent = words;  // it is seen to come
  else show(words, UNDO);
}

export const alsoFrom = (track) => query.change({ id: [...new Set([...query.ids("id"), track.id])] }, true);

export const awayFrom = (track) =>
  query.change({ not_id: [...new Set([...query.ids("not_id"), track.id])], id: query.ids("id").filter((id) => id !== track.id) }, true);

export const leaveOut = (track) => query.change({ without: [...new Set([...query.ids("without"), track.id])] });

// Plays the playlist, or else what is listed; whether there is anything.
export function playFirst() {
  const [first] = playlist.entries, listed = element("tracks").querySelector("button.play");
  if (first) player.play(first, playlist);
  else listed?.click();
  return Boolean(first ?? listed);
}

// Makes the playlist a path that leads in even steps from one track to another.
export async function makePath(from, to) {
  try {
    const { tracks, notes } = await get("path", { stop: [from, to], count: PATH_LENGTH });
    playlist.replace(remember(tracks), { id: [from], to: `id:${to}`, count: tracks.length });
    show(`A path of ${formatCount(tracks.length)} is in the playlist.`, UNDO);
    notes.forEach((note) => show(note));
    return true;
  } catch (error) {
    showProblem(error);
    return false;
  }
}

// Makes a playlist of what is searched for, or of tracks like one that plays.
export async function compose() {
  const { values, notes } = await query.parameters(true);
  try {
    const answer = await get("playlist", values);
    playlist.replace(remember(answer.tracks), { ...values, count: answer.tracks.length });
    show(`The playlist has ${formatCount(answer.tracks.length)} now.`, UNDO);
    for (const note of [...notes, ...answer.notes]) show(note);
  } catch (error) {
    showProblem(error);
  }
}

// Actions of the menu of a track in a list.
export function actionsOf(track) {
  const seeds = query.ids("id"), actions = [["Similar to this", () => start(track)]];
  if (!query.isEmpty && !seeds.includes(track.id)) {
    actions.push(["Also from this", () => alsoFrom(track)], ["Away from this", () => awayFrom(track)], ["Leave this out", () => leaveOut(track)]);
    if (seeds.length) actions.push(["A path to this", () => makePath(seeds.at(-1), track.id)]);
  }
  actions.push(["Add to the playlist", () => add(track)], ["Show on the map", () => showOnMap(track)]);
  return actions;
}

export function showOnMap(track) {
  openView("map");
  document.dispatchEvent(new CustomEvent("show-on-map", { detail: track.id }));
}

// The tracks of ids, without those that are gone.
export async function lookUpAll(ids) {
  const answers = await Promise.allSettled(ids.map((id) => lookUp(id)));
  return answers.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
}
