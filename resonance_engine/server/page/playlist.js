// The playlist: entries { uid, track, isRadio } in order, kept in this browser, with undo. `recipe` holds the options
// that it was made by, while it is as it was made.

import { remember } from "./tracks.js";

const STORED = "resonance-playlist", RECIPE = "resonance-recipe", MOST_UNDONE = 20;
export const MOST_TRACKS = 500;  // that the server exports

class Playlist extends EventTarget {
  constructor() {
    super();
    this.entries = [];
    this.recipe = null;
    this.past = [];
    this.last = 0;
    this.read();
  }

  get tracks() {
    return this.entries.map((entry) => entry.track);
  }

  get seconds() {
    return this.entries.reduce((sum, { track }) => sum + track.seconds, 0);
  }

  place(uid) {
    return this.entries.findIndex((entry) => entry.uid === uid);
  }

  has(track) {
    return this.entries.some((entry) => entry.track.id === track.id);
  }

  // Every change goes through here; what the radio adds is not a step to undo.
  set(entries, recipe = null, isStep = true) {
    if (isStep) {
      this.past.push({ entries: this.entries, recipe: this.recipe });
      this.past.splice(0, this.past.length - MOST_UNDONE);
    }
    this.entries = entries;
    this.recipe = recipe;
    this.store();
    this.dispatchEvent(new Event("change"));
  }

  entriesOf(tracks, isRadio) {
    return tracks.map((track) => ({ uid: ++this.last, track, isRadio }));
  }

  add(tracks, at = this.entries.length, isRadio = false) {
    const added = this.entriesOf(tracks, isRadio);
    this.set(this.entries.toSpliced(at, 0, ...added), null, !isRadio);
    return added;
  }

  replace(tracks, recipe = null) {
    this.set(this.entriesOf(tracks, false), recipe);
  }

  move(uid, to) {
    const from = this.place(uid), place = Math.max(0, Math.min(this.entries.length - 1, to));
    if (from < 0 || from === place) return false;
    const entries = this.entries.toSpliced(from, 1);
    this.set(entries.toSpliced(place, 0, this.entries[from]));
    return true;
  }

  remove(uid) {
    this.set(this.entries.filter((entry) => entry.uid !== uid));
  }

  clear() {
    this.set([]);
  }

  // What the radio put after an entry goes, to be chosen anew.
  dropRadioAfter(uid) {
    const place = this.place(uid);
    this.set(this.entries.filter((entry, at) => at <= place || !entry.isRadio), null, false);
  }

  get mayUndo() {
    return this.past.length > 0;
  }

  undo() {
    const before = this.past.pop();
    if (before) this.set(before.entries, before.recipe, false);
  }

  next(entry) {
    return this.step(entry, 1);
  }

  previous(entry) {
    return this.step(entry, -1);
  }

  step(entry, by) {
    const place = this.place(entry.uid);
    return place < 0 ? null : this.entries[place + by] ?? null;
  }

  store() {
    try {
      localStorage.setItem(STORED, JSON.stringify(this.entries.map(({ track, isRadio }) => ({ track, isRadio }))));
      localStorage.setItem(RECIPE, JSON.stringify(this.recipe));
    } catch {
      // a full or closed store: the list lives as long as the page
    }
  }

  read() {
    try {
      const stored = JSON.parse(localStorage.getItem(STORED) ?? "[]");
      const kept = stored.filter(({ track }) => Number.isSafeInteger(track?.id) && typeof track.title === "string");
      this.entries = kept.map(({ track, isRadio }) => ({ uid: ++this.last, track, isRadio: Boolean(isRadio) }));
      this.recipe = kept.length === stored.length ? JSON.parse(localStorage.getItem(RECIPE) ?? "null") : null;
      remember(this.tracks);
    } catch {
      [this.entries, this.recipe] = [[], null];
    }
  }
}

export const playlist = new Playlist();
