// What plays: an entry { track, uid } and the queue that it is from, which says what comes before and after it.
// Events: "change", "time", and "left" when a track is, with { entry, share, isSkip } as detail.

import { audioOf } from "./api.js";
import { nameOf } from "./dom.js";
import { show } from "./messages.js";

const SKIPPED = 0.5;  // share of a track that is played, below which to go on is to skip it
const RESTARTS = 4;  // seconds after which "previous" begins the track anew
const MOST_FAILURES = 5;  // tracks in a row that cannot be played

class Player extends EventTarget {
  constructor() {
    super();
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.entry = null;
    this.queue = null;
    this.failures = 0;
    for (const event of ["play", "pause", "durationchange"]) this.audio.addEventListener(event, () => this.notify("change"));
    this.audio.addEventListener("timeupdate", () => this.notify("time"));
    this.audio.addEventListener("playing", () => { this.failures = 0; });
    this.audio.addEventListener("ended", () => this.end());
    this.audio.addEventListener("error", () => this.fail());
    this.listenToKeys();
  }

  notify(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  get track() {
    return this.entry?.track ?? null;
  }

  get isPlaying() {
    return Boolean(this.entry) && !this.audio.paused;
  }

  get seconds() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : this.track?.seconds ?? 0;
  }

  get share() {
    return this.seconds ? Math.min(1, this.audio.currentTime / this.seconds) : 0;
  }

  // Whether a track, or an entry of the playlist, is the one that plays or is paused.
  isAt(track, uid = undefined) {
    return this.track?.id === track.id && (uid === undefined || this.entry.uid === uid);
  }

  play(entry, queue = null) {
    if (this.entry && this.entry !== entry) this.leave(false);
    this.entry = entry;
    this.queue = queue;
    this.audio.src = entry.url ?? audioOf(entry.track);
    this.resume();
    this.describe();
    this.notify("change");
  }

  // The same track goes on, as one of another queue.
  adopt(entry, queue) {
    this.entry = entry;
    this.queue = queue;
    this.notify("change");
  }

  toggle(entry = null, queue = null) {
    if (entry && !this.isAt(entry.track, entry.uid)) this.play(entry, queue);
    else if (this.isPlaying) this.audio.pause();
    else if (this.entry) this.resume();
  }

  resume() {
    this.audio.play().catch((error) => {
      if (error.name === "NotAllowedError") show("The browser wants a click before it plays.");
    });  // other errors come as an event
  }

  leave(isEnd) {
    const share = isEnd ? 1 : this.share;
    this.notify("left", { entry: this.entry, share, isSkip: false });
  }

  skip() {
    if (!this.entry) return;
    this.notify("left", { entry: this.entry, share: this.share, isSkip: this.share < SKIPPED });
    this.goOn();
  }

  end() {
    this.leave(true);
    this.goOn();
  }

  goOn() {
    const next = this.queue?.next(this.entry), queue = this.queue;
    this.entry = null;
    if (next) this.play(next, queue);
    else {
      this.audio.removeAttribute("src");
      this.audio.load();
      this.notify("change");
    }
  }

  back() {
    if (!this.entry) return;
    const previous = this.audio.currentTime < RESTARTS && this.queue?.previous(this.entry);
    if (previous) this.play(previous, this.queue);
    else this.audio.currentTime = 0;
  }

  seek(share) {
    if (this.entry && this.seconds) this.audio.currentTime = share * this.seconds;
  }

  fail() {
    if (!this.entry || !this.audio.getAttribute("src")) return;
    show(`${nameOf(this.track)} cannot be played: its file is not there, or of a kind that this browser does not play.`);
    this.failures += 1;
    if (this.failures < MOST_FAILURES) this.goOn();
    else this.notify("change");
  }

  listenToKeys() {
    if (!("mediaSession" in navigator)) return;
    const actions = { play: () => this.resume(), pause: () => this.audio.pause(), nexttrack: () => this.skip(), previoustrack: () => this.back() };
    for (const [name, action] of Object.entries(actions)) navigator.mediaSession.setActionHandler(name, action);
  }

  describe() {
    if (!("mediaSession" in navigator)) return;
    const { title, artist, album } = this.track;
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist, album });
  }
}

export const player = new Player();

// Tracks in a row, to be played one after the other.
export function queueOf(tracks) {
  const step = (entry, by) => {
    const place = tracks.findIndex((track) => track.id === entry.track.id);
    return place >= 0 && tracks[place + by] ? { track: tracks[place + by] } : null;
  };
  return { next: (entry) => step(entry, 1), previous: (entry) => step(entry, -1) };
}
