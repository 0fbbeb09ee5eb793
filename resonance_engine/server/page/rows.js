// Rows of tracks: cover with a play button, title and artist, why it matches, and what can be done with it.

import { formatTime, icon, iconButton, make, nameOf, text } from "./dom.js";
import { player } from "./player.js";
import { cover } from "./tracks.js";

const CONTROLS = "a, button";
export const facets = { names: [] };  // of the model, in the order of their colours

export const facetClass = (name) => `facet-${Math.max(0, facets.names.indexOf(name)) % 8}`;

// A cover that plays its track: `entry` as the player has it, `queue` what comes after.
export function playButton(entry, queue) {
  const { track } = entry;
  const button = make("button", { class: "play", type: "button", data: { id: track.id }, on: {
    click: () => player.toggle(entry, queue()),
  } }, cover(track), make("span", { class: "sign" }, icon("play")));
  button.entry = entry;
  markPlaying(button);
  return button;
}

function markPlaying(button) {
  const { track, uid } = button.entry, isHere = player.isAt(track, uid);
  const isPlaying = isHere && player.isPlaying;
  button.setAttribute("aria-label", `${isPlaying ? "Pause" : "Play"} ${nameOf(track)}`);
  button.querySelector(".sign use").setAttribute("href", isPlaying ? "#icon-pause" : "#icon-play");
  button.closest("li, .seed")?.classList.toggle("current", isHere);
}

export const markAllPlaying = () => document.querySelectorAll("button.play").forEach(markPlaying);

export function showProgress() {
  for (const row of document.querySelectorAll(".current")) row.style.setProperty("--played", player.share.toFixed(4));
}

const isPlainClick = (event) => !(event.button || event.ctrlKey || event.metaKey || event.shiftKey);

export function titleLink(track, start) {
  const link = make("a", { class: "title text", dir: "auto", href: `#id=${track.id}`, text: track.title, draggable: "false",
    title: `Find what sounds like ${nameOf(track)}` });
  link.addEventListener("click", (event) => {
    if (!isPlainClick(event)) return;
    event.preventDefault();
    start(track);
  });
  return link;
}

export function words(track, start) {
  const below = [track.artist, track.album].filter(Boolean).join(" · ");
  return make("span", { class: "what" }, titleLink(track, start), below ? text(below, "dim") : null);
}

// Why a track matches: the shares of the facets as a bar, how well it fits the words (better than so many tracks), traits.
export function reasons(match) {
  const box = make("span", { class: "why" });
  const shares = facets.names.filter((name) => match.shares[name] >= 0.005).map((name) => [name, match.shares[name]]);
  if (shares.length) {
    const label = shares.toSorted((one, other) => other[1] - one[1]).map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ");
    const bar = make("span", { class: "shares", role: "img", label: `Alike in ${label}`, title: label });
    for (const [name, share] of shares) {
      const part = make("span", { class: facetClass(name) });
      part.style.flexGrow = share.toFixed(4);
      bar.append(part);
    }
    box.append(bar);
  }
  const fits = Object.entries(match.fits).map(([phrase, share]) => `${phrase} ${Math.round(100 * share)} %`);
  const traits = [match.traits.join(", "), fits.length ? `fits ${fits.join(", ")}` : ""].filter(Boolean);
  if (traits.length) box.append(text(traits.toReversed().join("; "), "traits"));
  return box;
}

export const duration = (track) => make("span", { class: "duration", text: track.seconds ? formatTime(track.seconds) : "" });

export const addButton = (track, add) => iconButton("plus", `Add ${nameOf(track)} to the playlist`, () => add(track));

export const moreButton = (track, open) =>
  iconButton("more", `More with ${nameOf(track)}`, (event) => open(event.currentTarget), { "aria-haspopup": "menu" });

// The keys up and down lead from row to row, and stay at the same control.
export function walkRows(list) {
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key], row = event.target.closest("li");
    if (!by || !row || event.altKey || event.ctrlKey || event.metaKey) return;
    const place = [...row.querySelectorAll(CONTROLS)].indexOf(event.target);
    const other = [...list.children][[...list.children].indexOf(row) + by];
    const controls = other ? [...other.querySelectorAll(CONTROLS)] : [];
    (controls[place] ?? controls[0])?.focus();
    event.preventDefault();
  });
}
