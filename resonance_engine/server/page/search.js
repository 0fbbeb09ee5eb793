// The search field: tracks that match come up below it; Enter starts from one, from all, or from how music should sound.

import { start, openView } from "./actions.js";
import { get } from "./api.js";
import { element, formatCount, formatTime, make, paused, text } from "./dom.js";
import { query } from "./query.js";
import { cover, remember } from "./tracks.js";

const WAIT = 110, LISTED = 8;
const options = { understandsWords: false };
let request = null, choices = [], active = -1;

const BY_NAME = { label: "Search for a track", placeholder: "A track or an artist" };
const BY_WORDS = { label: "Search for a track, or describe its sound", placeholder: "A track, an artist, or how it should sound: calm piano" };

export function setWords(isUnderstood) {
  options.understandsWords = isUnderstood;
  const { label, placeholder } = isUnderstood ? BY_WORDS : BY_NAME;
  element("search").setAttribute("aria-label", label);
  element("search").placeholder = placeholder;
}

function close() {
  request?.abort();
  element("suggestions").hidden = true;
  element("search").setAttribute("aria-expanded", "false");
  element("search").removeAttribute("aria-activedescendant");
  active = -1;
}

function activate(place) {
  active = place;
  [...element("suggestions").children].forEach((row, at) => {
    row.setAttribute("aria-selected", String(at === place));
    if (at === place) row.scrollIntoView({ block: "nearest" });
  });
  if (place >= 0) element("search").setAttribute("aria-activedescendant", `suggestion-${place}`);
  else element("search").removeAttribute("aria-activedescendant");
}

function choose(place) {
  const choice = choices[place];
  if (!choice) return;
  close();
  element("search").value = "";
  choice.run();
  openView("find");
}

function trackChoice(track) {
  return {
    run: () => start(track),
    row: () => [cover(track), make("span", { class: "what" }, text(track.title, "title"), text([track.artist, track.album].filter(Boolean).join(" · "), "dim")),
      make("span", { class: "duration", text: track.seconds ? formatTime(track.seconds) : "" })],
  };
}

const plainChoice = (kind, words, run) => ({
  run, row: () => [make("span", { class: "what" }, text(words, "title"), make("span", { class: "dim", text: kind }))],
});

function render() {
  element("suggestions").replaceChildren(...choices.map((choice, place) => make("li", {
    id: `suggestion-${place}`, role: "option", "aria-selected": "false",
    on: { pointerdown: (event) => event.preventDefault(), click: () => choose(place) },
  }, ...choice.row())));
  element("suggestions").hidden = false;
  element("search").setAttribute("aria-expanded", "true");
  activate(choices.length && choices[0].isFirst ? 0 : -1);
}

async function suggest() {
  const words = element("search").value.trim();
  if (!words) return close();
  request?.abort();
  request = new AbortController();
  try {
    const { tracks, total } = await get("tracks", { text: words, limit: LISTED }, request.signal);
    if (element("search").value.trim() !== words) return undefined;
    choices = remember(tracks).map(trackChoice);
    if (choices.length) choices[0].isFirst = true;
    if (total > 1 && query.offers("query")) {
      choices.push(plainChoice("Start from all of them", `All ${formatCount(total)} that match “${words}”`,
        () => query.begin({ query: words })));
    }
    if (options.understandsWords) {
      choices.push(plainChoice("By what the model understands of music", `Music that sounds like “${words}”`,
        () => query.begin({ text: words })));
    }
    if (!choices.length) choices = [plainChoice("Nothing matches", words, () => {})];
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    choices = [plainChoice(error.message, words, () => {})];
  }
  return render();
}

export function startSearch() {
  const input = element("search"), later = paused(WAIT, suggest);
  input.addEventListener("input", later);
  input.addEventListener("focus", () => { if (input.value.trim()) suggest(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", async (event) => {
    const isOpen = !element("suggestions").hidden;
    if (event.key === "Escape") {
      if (!isOpen) input.value = "";
      close();
    } else if (event.key === "Enter") {
      if (!isOpen) await suggest();
      choose(active >= 0 ? active : choices.length - 1);
    } else if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const by = event.key === "ArrowDown" ? 1 : -1, { length } = choices;
      activate(active < 0 && by < 0 ? length - 1 : (active + by + length) % length);
    } else return;
    if (event.key !== "Escape" || isOpen) event.preventDefault();
  });
}
