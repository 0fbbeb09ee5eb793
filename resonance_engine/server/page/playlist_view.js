// The playlist on the page: its rows, their keys, and what is made of it.

import { compose, makePath, openView, showOnMap, start } from "./actions.js";
import { toQuery } from "./api.js";
import { draggable, onDrop } from "./drag.js";
import { saveRecipe } from "./dialogs.js";
import { element, formatCount, formatTime, icon, make, nameOf } from "./dom.js";
import { openMenu } from "./menu.js";
import { forgetActions, show } from "./messages.js";
import { player } from "./player.js";
import { MOST_TRACKS, playlist } from "./playlist.js";
import { query } from "./query.js";
import { listedTracks } from "./results.js";
import { duration, markAllPlaying, moreButton, playButton, showProgress, walkRows, words } from "./rows.js";

function moveBy(entry, by) {
  const place = playlist.place(entry.uid) + by;
  if (playlist.move(entry.uid, place)) announce(`${entry.track.title} is number ${place + 1} of ${playlist.entries.length} now.`);
}

// Read out, but not shown: the row is seen to move.
function announce(words) {
  element("length").title = words;
  element("spoken").textContent = words;
}

function actionsOf(entry) {
  const { track, uid } = entry, place = playlist.place(uid), actions = [["Similar to this", () => start(track)]];
  if (place > 0) actions.push(["Move up", () => moveBy(entry, -1)]);
  if (place < playlist.entries.length - 1) actions.push(["Move down", () => moveBy(entry, 1)]);
  if (place > 0) actions.push(["A path from the first to this", () => makePath(playlist.entries[0].track.id, track.id)]);
  return [...actions, ["Show on the map", () => showOnMap(track)], ["Remove", () => playlist.remove(uid)]];
}

function rowOf(entry) {
  const { track, uid, isRadio } = entry;
  const grip = make("span", { class: "grip", title: "Drag to another place" }, icon("grip"));
  const row = make("li", { class: "track", data: { uid } }, grip, playButton(entry, () => playlist), words(track, start),
    isRadio ? make("span", { class: "by-radio", role: "img", label: "chosen by the radio", title: "chosen by the radio" }, icon("radio")) : null,
    duration(track), moreButton(track, (button) => openMenu(button, actionsOf(entry))));
  draggable(row, () => ({ uid, label: track.title }));
  row.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.altKey && by) moveBy(entry, by);
    else if (event.key === "Delete") {
      playlist.remove(uid);
      announce(`${track.title} was removed.`);
    } else return;
    event.preventDefault();
  });
  return row;
}

function render() {
  const list = element("items"), row = document.activeElement?.closest?.("#items li"), uid = row?.dataset.uid;
  const at = [...list.children].indexOf(row), control = row ? [...row.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
  const old = new Map([...list.children].map((one) => [one.dataset.uid, one]));
  const rows = playlist.entries.map((entry) => old.get(String(entry.uid)) ?? rowOf(entry));
  list.replaceChildren(...rows);
  if (row) {  // the row, or the one in the place of one that is gone
    const near = rows.find((one) => one.dataset.uid === uid) ?? rows[Math.min(at, rows.length - 1)];
    (near?.querySelectorAll("a, button")[control] ?? element("compose")).focus();
  }
  const { length } = rows;
  element("empty").hidden = length > 0;
  element("length").textContent = length ? `${formatCount(length)}, ${formatTime(playlist.seconds)}` : "";
  element("badge").textContent = length || "";
  element("undo").hidden = !playlist.mayUndo;
  for (const id of ["save", "clear"]) element(id).disabled = !length;
  const link = element("export");
  if (length) link.href = `/api/m3u8?${toQuery({ id: playlist.tracks.slice(0, MOST_TRACKS).map((track) => track.id) })}`;
  else link.removeAttribute("href");
  link.setAttribute("aria-disabled", String(!length));
  markAllPlaying();
  showProgress();
}

function take(carried, place) {
  if (carried.uid === undefined) {
    playlist.add([carried.track], place);
    return;
  }
  const from = playlist.place(carried.uid);
  playlist.move(carried.uid, from < place ? place - 1 : place);
}

export function startPlaylist() {
  walkRows(element("items"));
  onDrop(take);
  playlist.addEventListener("change", () => { forgetActions(); render(); });
  player.addEventListener("change", () => {
    if (player.queue === playlist) document.querySelector("#items .current")?.scrollIntoView({ block: "nearest" });
  });
  element("undo").addEventListener("click", () => playlist.undo());
  element("clear").addEventListener("click", () => {
    playlist.clear();
    show("The playlist is empty now.", { name: "Undo", run: () => playlist.undo() });
    element("compose").focus();
  });
  element("compose").addEventListener("click", () => {
    if (query.file) return playlist.replace(listedTracks());  // a playlist takes tracks of the library
    if (!query.isEmpty) return compose();
    openView("find");
    element("search").focus();
    return show("Search for a track to start from, or say how it should sound.");
  });
  element("save").addEventListener("click", saveRecipe);
  element("export").addEventListener("click", (event) => {
    if (!playlist.entries.length) event.preventDefault();
    else if (playlist.entries.length > MOST_TRACKS) show(`The first ${MOST_TRACKS} tracks are exported.`);
  });
  render();
}
