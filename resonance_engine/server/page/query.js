// What is searched for: tracks to start from and to keep away from, words, and what counts how much. It is in the
// address after #, by the names of the API's parameters, so that it can be kept, sent and gone back to.

import { get, postFile } from "./api.js";
import { lookUp } from "./tracks.js";
import { compares, readWords } from "./words.js";

const LISTS = ["id", "not_id", "without"];
const TEXTS = ["query", "text", "weights", "bpm", "key", "vocals", "per_artist", "per_album", "rerank", "taste", "versions",
  "from"];
const NEEDS_TRACK = ["weights"];  // nothing to weigh without a track
export const USUAL_COUNT = 30;
const MOST = 200;
const GONE = 404;

class SimilarQuery extends EventTarget {
  constructor() {
    super();
    this.values = {};
    this.file = null;
    this.files = [];  // that were searched by, for the way back
    this.uploads = new Map();  // by file, the id by which the server knows it, as a promise
    this.count = USUAL_COUNT;
    this.offered = null;  // names of the options that the collection has; all, while they are not known
  }

  offers(name) {
    return !this.offered || this.offered.has(name);
  }

  ids(name) {
    return this.values[name] ?? [];
  }

  get(name) {
    return this.values[name] ?? "";
  }

  // Facets and how much they count, those that do not count 1.
  get weights() {
    const pairs = this.get("weights").split(",").map((pair) => pair.split("="));
    return Object.fromEntries(pairs.filter(([name, value]) => name && Number.isFinite(Number(value))).map(([name, value]) => [name, Number(value)]));
  }

  get hasTrack() {
    return Boolean(this.ids("id").length || this.get("query") || this.file);
  }

  get isEmpty() {
    return !this.hasTrack && !this.get("text").trim();
  }

  // Changes values, in a new step of the browser's history or in the present one; the file to start from stays.
  change(values, isStep = false) {
    this.values = { ...this.values, ...values };
    this.count = USUAL_COUNT;
    const state = this.file ? { file: this.files.indexOf(this.file), page: performance.timeOrigin } : null;
    history[isStep ? "pushState" : "replaceState"](state, "", this.address);
    this.notify();
  }

  // Begins anew: what may come up and what counts stays, the tracks to start from and the words do not.
  begin(values, file = null) {
    this.file = file;
    this.change({ id: [], not_id: [], query: "", text: "", ...values }, true);
  }

  startFrom(id) {
    this.begin({ id: [id] });
  }

  startFromFile(file) {
    this.files.push(file);
    this.begin({}, file);
  }

  dropFile() {
    this.file = null;
    this.change({}, true);
  }

  showMore() {
    this.count = Math.min(MOST, this.count * 2);
    this.notify();
  }

  get mayShowMore() {
    return this.count < MOST;
  }

  notify() {
    this.dispatchEvent(new Event("change"));
  }

  get address() {
    const fragment = new URLSearchParams();
    for (const name of LISTS) for (const id of this.ids(name)) fragment.append(name, id);
    for (const name of TEXTS) if (this.get(name)) fragment.set(name, this.get(name));
    return fragment.size ? `#${fragment}` : location.pathname;
  }

  readAddress() {
    const fragment = new URLSearchParams(location.hash.slice(1)), values = {};
    for (const name of LISTS) {
      values[name] = [...new Set(fragment.getAll(name).map(Number).filter((id) => Number.isSafeInteger(id) && id > 0))];
    }
    for (const name of TEXTS) values[name] = fragment.get(name) ?? "";
    // The state outlives a reload of the page, and the files do not.
    this.file = history.state?.page === performance.timeOrigin ? this.files[history.state.file] ?? null : null;
    this.values = values;
    this.count = USUAL_COUNT;
    this.notify();
  }

  // Whether there is a tempo that another can be slower than.
  async hasTempo() {
    if (this.file || this.get("query")) return true;
    const seeds = await Promise.allSettled(this.ids("id").map((id) => lookUp(id)));
    return seeds.some(({ value }) => value?.attributes.tempo > 0);
  }

  // The parameters of the API, and remarks on words that do not count as they stand.
  async parameters(isPlaylist = false) {
    const words = this.get("text"), hasTempo = compares(words) && await this.hasTempo();
    const { text, bpm, notes } = readWords(words, hasTempo, this.get("bpm"));
    const values = Object.fromEntries(TEXTS.filter((name) => this.offers(name)).map((name) => [name, this.get(name)]));
    for (const name of LISTS) values[name] = this.ids(name);
    if (!this.hasTrack) for (const name of NEEDS_TRACK) values[name] = "";
    const needed = isPlaylist ? { count: undefined } : { explain: true, count: this.count };
    const told = { text: this.offers("text") ? text : "", bpm: this.offers("bpm") ? bpm : "" };
    return { values: { ...values, ...told, ...needed }, notes };
  }

  async fetch(signal) {
    const { values, notes } = await this.parameters();
    const answer = await (this.file ? this.fetchByFile(values, signal) : get("similar", values, signal));
    return { ...answer, notes: [...notes, ...answer.notes] };
  }

  // The file is sent once; the server keeps what it made of it for a while.
  async fetchByFile(values, signal) {
    const { file, uploads } = this, isKnown = uploads.has(file);
    if (!isKnown) {
      uploads.set(file, postFile("uploads", file));
      uploads.get(file).catch(() => uploads.delete(file));
    }
    const { upload } = await uploads.get(file);
    signal.throwIfAborted();
    try {
      return await get("similar", { ...values, upload }, signal);
    } catch (error) {
      if (!isKnown || error.status !== GONE) throw error;
      uploads.delete(file);
      return this.fetchByFile(values, signal);
    }
  }
}

export const query = new SimilarQuery();
