// What the list starts from: one track in full, several in short, a file or a query; and what it keeps away from.

import { add, lookUpAll, showOnMap, start } from "./actions.js";
import { element, formatCount, iconButton, make, text } from "./dom.js";
import { draggable } from "./drag.js";
import { openMenu } from "./menu.js";
import { query } from "./query.js";
import { addButton, moreButton, playButton, words } from "./rows.js";

const MOST_SHOWN = 12, MOST_TAGS = 6;
let turn = 0, fileAddress = null, fileShown = null;

function facts({ track, attributes, is_analysed: isAnalysed, tags }) {
  const known = [
    track.genre, track.year || "",
    attributes.tempo ? `${Math.round(attributes.tempo)} BPM` : "", attributes.key ?? "",
    { none: "instrumental", sung: "sung in part", throughout: "sung" }[attributes.vocals] ?? "",
    ...tags.slice(0, MOST_TAGS), isAnalysed ? "" : "not analysed yet",
  ];
  const list = make("ul", { class: "facts", "aria-label": "What is known of it" });
  list.append(...[...new Set(known.filter(Boolean).map(String))].map((fact) => text(fact, "", "li")));
  return list;
}

function remover(label, remove) {
  return iconButton("close", label, remove);
}

const without = (name, id) => () => query.change({ [name]: query.ids(name).filter((one) => one !== id) }, true);

function seedOf(details, name, isAlone) {
  const { track } = details;
  const actions = () => [["Add to the playlist", () => add(track)], ["Show on the map", () => showOnMap(track)]];
  const seed = make("div", { class: `seed ${isAlone ? "alone" : ""} ${name === "not_id" ? "avoided" : ""}`, data: { id: track.id } },
    playButton({ track }, () => null),
    make("div", { class: "about" }, words(track, start), isAlone ? facts(details) : null));
  const acts = make("span", { class: "acts" });
  if (isAlone) acts.append(addButton(track, (one) => add(one)), moreButton(track, (button) => openMenu(button, actions())));
  acts.append(remover(`${name === "not_id" ? "No longer away from" : "No longer from"} ${track.title}`, without(name, track.id)));
  seed.append(acts);
  draggable(seed, () => ({ track, label: track.title }));
  return seed;
}

function fileSeed(file) {
  if (fileShown !== file) {
    if (fileAddress) URL.revokeObjectURL(fileAddress);
    [fileShown, fileAddress] = [file, URL.createObjectURL(file)];
  }
  const track = { id: 0, title: file.name, artist: "", album: "", seconds: 0 };
  return make("div", { class: "seed alone" }, playButton({ track, url: fileAddress }, () => null),
    make("div", { class: "about" }, text(file.name, "title"), text("a file of yours; the server keeps no copy", "dim")),
    remover("No longer from the file", () => query.dropFile()));
}

function querySeed(tracks) {
  const count = tracks ? formatCount(tracks.length) : "tracks";
  return make("div", { class: "seed query" },
    make("div", { class: "about" }, text(`All ${count} that match`, "dim"), text(query.get("query"), "title")),
    remover("No longer from the query", () => query.change({ query: "" }, true)));
}

// Shows the seeds; `answered` are those that the server answered with.
export async function showSeeds(answered = null) {
  const mine = ++turn, box = element("seeds"), ids = query.ids("id"), avoided = query.ids("not_id");
  const [seeds, others] = await Promise.all([lookUpAll(ids.slice(0, MOST_SHOWN)), lookUpAll(avoided.slice(0, MOST_SHOWN))]);
  if (mine !== turn) return;
  const isAlone = seeds.length === 1 && !query.file && !query.get("query");
  const shown = seeds.map((details) => seedOf(details, "id", isAlone));
  if (query.file) shown.unshift(fileSeed(query.file));
  if (query.get("query")) shown.unshift(querySeed(answered));
  if (ids.length > MOST_SHOWN) shown.push(text(`and ${formatCount(ids.length - MOST_SHOWN)} more`, "dim"));
  if (others.length) shown.push(make("h2", { text: "Away from" }), ...others.map((details) => seedOf(details, "not_id", false)));
  const left = query.ids("without").length;
  if (left) {
    shown.push(make("p", { class: "dim left-out" }, `${formatCount(left)} left out `, make("button", {
      class: "quiet", type: "button", text: "Bring back", on: { click: () => query.change({ without: [] }) },
    })));
  }
  box.replaceChildren(...shown);
}

