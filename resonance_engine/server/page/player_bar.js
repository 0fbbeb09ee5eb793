// The bar at the bottom: what plays, where it is in it, and how loud.

import { playFirst } from "./actions.js";
import { element, formatTime, nameOf, setIcon, text } from "./dom.js";
import { show } from "./messages.js";
import { player } from "./player.js";
import { cover } from "./tracks.js";

const STEPS = 1000;
let isSeeking = false;

function showTrack() {
  const { track } = player, bar = document.querySelector("#player .playing");
  setIcon(element("toggle"), player.isPlaying ? "pause" : "play");
  element("toggle").setAttribute("aria-label", player.isPlaying ? "Pause" : "Play");
  element("seek").disabled = !track;
  document.title = track ? `${nameOf(track)} · Resonance` : "Resonance";
  if (bar.dataset.id === String(track?.id ?? "")) return;
  bar.dataset.id = track?.id ?? "";
  const what = document.createElement("span");
  what.className = "what";
  if (track) what.append(text(track.title, "title"), text([track.artist, track.album].filter(Boolean).join(" · "), "dim"));
  else what.append(text("Nothing plays", "dim"));
  bar.replaceChildren(track ? cover(track) : Object.assign(document.createElement("span"), { className: "cover" }), what);
}

function showTime() {
  const { share, seconds } = player;
  element("elapsed").textContent = formatTime(player.audio.currentTime);
  element("total").textContent = formatTime(seconds);
  const seek = element("seek");
  if (!isSeeking) seek.value = Math.round(share * STEPS);
  seek.style.setProperty("--share", `${100 * seek.value / STEPS}%`);
  seek.setAttribute("aria-valuetext", `${formatTime(player.audio.currentTime)} of ${formatTime(seconds)}`);
}

export function playOrPause() {
  if (player.entry) player.toggle();
  else if (!playFirst()) show("There is nothing to play yet.");
}

export function startPlayerBar() {
  player.addEventListener("change", () => { showTrack(); showTime(); });
  player.addEventListener("time", showTime);
  element("toggle").addEventListener("click", playOrPause);
  element("skip").addEventListener("click", () => player.skip());
  element("back").addEventListener("click", () => player.back());
  const seek = element("seek"), volume = element("volume");
  seek.addEventListener("input", () => {
    isSeeking = true;
    seek.style.setProperty("--share", `${100 * seek.value / STEPS}%`);
  });
  seek.addEventListener("change", () => { isSeeking = false; player.seek(seek.value / STEPS); });
  const setVolume = () => {
    player.audio.volume = (volume.value / 100) ** 2;  // nearer to how loudness is perceived
    volume.style.setProperty("--share", `${volume.value}%`);
  };
  volume.addEventListener("input", setVolume);
  setVolume();
}
