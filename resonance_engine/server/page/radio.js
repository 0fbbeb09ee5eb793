// The radio: it keeps ten tracks of the playlist ahead of what plays, close to what was played and away from what was
// skipped. What it learns is forgotten with the page.

import { playFirst } from "./actions.js";
import { get } from "./api.js";
import { element, nameOf } from "./dom.js";
import { show, showProblem } from "./messages.js";
import { player } from "./player.js";
import { playlist } from "./playlist.js";
import { query } from "./query.js";
import { remember } from "./tracks.js";

export const AHEAD = 10;
const MOST_LIKED = 5, MOST_SKIPPED = 8, MOST_LEFT_OUT = 500;
const KEPT = ["weights", "from", "vocals", "taste", "per_artist", "per_album"];  // of what is searched for
const LIKED = 0.8;  // share of a track that is played, from which on more like it comes
const session = { isOn: false, start: 0, liked: [], skipped: [], heard: new Set(), isFilling: false, isStale: false };

// What plays goes on in the playlist, where the radio can put tracks after it.
function enter() {
  const { entry } = player;
  if (!entry?.track.id) return null;
  if (player.queue === playlist && playlist.place(entry.uid) >= 0) return entry;
  const there = playlist.entries.find(({ track }) => track.id === entry.track.id);
  const added = there ?? playlist.add([entry.track])[0];
  player.adopt(added, playlist);
  return added;
}

async function parameters(entry, count) {
  const { values } = await query.parameters(true);
  const kept = Object.fromEntries(KEPT.map((name) => [name, values[name]]));
  const left = [...new Set([...playlist.tracks.map((track) => track.id), ...session.heard])].slice(-MOST_LEFT_OUT);
  const seeds = [...new Set([session.start, ...session.liked, entry.track.id])].filter((id) => !session.skipped.includes(id));
  return { ...kept, id: seeds.length ? seeds : [session.start], not_id: session.skipped, without: left, count };
}

async function fill() {
  if (!session.isOn || session.isFilling) {
    session.isStale = session.isOn;
    return;
  }
  session.isFilling = true;  // also against the changes that it makes itself
  session.isStale = false;
  const entry = enter();
  const missing = entry ? AHEAD - (playlist.entries.length - 1 - playlist.place(entry.uid)) : 0;
  if (missing > 0) await fetchMore(entry, missing);
  session.isFilling = false;
  if (session.isStale) fill();
}

async function fetchMore(entry, missing) {
  try {
    const { matches } = await get("similar", await parameters(entry, missing));
    const tracks = remember(matches.map(({ track }) => track)).filter((track) => !playlist.has(track));
    if (session.isOn && tracks.length) playlist.add(tracks, undefined, true);
    else if (session.isOn && !matches.length) show("The radio finds no more tracks.");
  } catch (error) {
    showProblem(error);
  }
}

function learn({ detail: { entry, share, isSkip } }) {
  const { id } = entry.track;
  if (!id) return;
  session.heard.add(id);
  if (!session.isOn) return;
  if (isSkip) {
    session.skipped = [...session.skipped.filter((one) => one !== id), id].slice(-MOST_SKIPPED);
    session.liked = session.liked.filter((one) => one !== id);
    // Once the next one plays, those after it are chosen anew.
    queueMicrotask(() => {
      if (player.entry && player.queue === playlist) playlist.dropRadioAfter(player.entry.uid);
      fill();
    });
    show(`${nameOf(entry.track)} was skipped: the radio keeps away from it.`);
  } else if (share >= LIKED) session.liked = [...session.liked.filter((one) => one !== id), id].slice(-MOST_LIKED);
}

// Without anything that plays, it begins with the seed or the playlist.
function begin() {
  if (player.entry?.track.id) return true;
  return playFirst();
}

function toggle() {
  session.isOn = !session.isOn;
  if (session.isOn && !begin()) {
    session.isOn = false;
    show("The radio needs a track to begin with.");
  }
  element("radio-switch").setAttribute("aria-pressed", String(session.isOn));
  if (!session.isOn) return;
  session.start = player.track.id;
  session.liked = [];
  session.skipped = [];
  show(`Radio from ${nameOf(player.track)}: it goes on, and learns from what you skip.`);
  fill();
}

export function startRadio() {
  element("radio-switch").addEventListener("click", toggle);
  player.addEventListener("left", learn);
  player.addEventListener("change", fill);
  playlist.addEventListener("change", () => { if (!session.isFilling) fill(); });
}
