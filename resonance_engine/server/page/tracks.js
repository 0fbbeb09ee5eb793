// Tracks that the page has met, by id, and those that it looks up; covers.

import { coverOf, get } from "./api.js";
import { icon, make } from "./dom.js";

const MOST_KEPT = 20_000;
const known = new Map(), details = new Map();
const covers = new Map();  // addresses by album, so that its cover is fetched once; null where there is none

export function remember(tracks) {
  if (known.size > MOST_KEPT) known.clear();
  for (const track of tracks) known.set(track.id, track);
  return tracks;
}

export const knownTrack = (id) => known.get(id);

// Everything about a track; a Problem where it is gone.
export async function lookUp(id, signal) {
  if (!details.has(id)) {
    if (details.size > MOST_KEPT) details.clear();
    const answer = await get(`tracks/${id}`, {}, signal);
    remember([answer.track]);
    details.set(id, answer);
  }
  return details.get(id);
}

// What is known of tracks may differ once more of them are analysed.
export const forgetDetails = () => details.clear();

// A hue for tracks of one album, so that those without a cover can be told apart.
function hueOf(words) {
  let hash = 7;
  for (const character of words) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return hash;
}

export function cover(track) {
  const frame = make("span", { class: "cover" }, icon("note"));
  frame.style.setProperty("--hue", hueOf(track.album || track.artist || track.title));
  const key = track.album ? `${track.artist}\n${track.album}` : track.id;
  if (track.id && !covers.has(key)) covers.set(key, coverOf(track));
  if (track.id && covers.get(key)) {
    const image = make("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false", on: {
      load: () => frame.classList.add("loaded"),
      error: () => { covers.set(key, null); image.remove(); },
    } });
    image.src = covers.get(key);
    frame.append(image);
  }
  return frame;
}
