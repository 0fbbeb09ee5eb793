// Tracks that the page has met, by id, and those that it looks up; covers.

import { coverOf, get } from "./api.js";
import { icon, make } from "./dom.js";

const MOST_KEPT = 20_000;
const known = new Map(), details = new Map();
// Of each album, the address of a cover, so that it is fetched once, and how many of its tracks had none.
const covers = new Map(), failures = new Map(), MOST_FAILURES = 3;

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

// A track without a cover of its own may be of an album with one, and the other way round.
function showCover(frame, key, own) {
  if (!covers.has(key)) covers.set(key, own);
  let address = covers.get(key);
  const image = make("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false", on: {
    load: () => {
      covers.set(key, address);
      failures.delete(key);
      frame.classList.add("loaded");
    },
    error: () => {
      if (covers.get(key) === address) covers.delete(key);
      if (address !== own) {
        image.src = address = own;
        return;
      }
      failures.set(key, (failures.get(key) ?? 0) + 1);
      image.remove();
    },
  } });
  image.src = address;
  frame.append(image);
}

export function cover(track) {
  const frame = make("span", { class: "cover" }, icon("note"));
  frame.style.setProperty("--hue", hueOf(track.album || track.artist || track.title));
  const key = track.album ? `${track.artist}\n${track.album}` : track.id;
  if (track.id && (covers.has(key) || (failures.get(key) ?? 0) < MOST_FAILURES)) showCover(frame, key, coverOf(track));
  return frame;
}
