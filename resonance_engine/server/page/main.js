// The page of `beet resonance serve`: starts its parts.

import { onView } from "./actions.js";
import { beginSessionFromAddress, get } from "./api.js";
import { makeControls } from "./controls.js";
import { mayUseLetters, setRecipes, startDialogs } from "./dialogs.js";
import { element, formatCount } from "./dom.js";
import { closeMap, openMap, startMap } from "./map.js";
import { startMenu } from "./menu.js";
import { showProblem } from "./messages.js";
import { player } from "./player.js";
import { playOrPause, startPlayerBar } from "./player_bar.js";
import { startPlaylist } from "./playlist_view.js";
import { query } from "./query.js";
import { startRadio } from "./radio.js";
import { setStatus, startResults } from "./results.js";
import { markAllPlaying, showProgress } from "./rows.js";
import { setWords, startSearch } from "./search.js";
import { forgetDetails } from "./tracks.js";
import { startUpload } from "./upload.js";

const THEMES = ["auto", "light", "dark"], THEME = "resonance-theme";
const FRESH = 20_000;  // milliseconds between two looks at how much is analysed

function openView(name) {
  document.body.dataset.view = name;
  for (const button of element("views").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === name));
  }
  if (name === "map") openMap();
  else closeMap();
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  const words = { auto: "Auto", light: "Light", dark: "Dark" }[name];
  element("theme").textContent = words;
  element("theme").setAttribute("aria-label", `Colours: ${words}`);
  document.dispatchEvent(new Event("theme"));
}

function startTheme() {
  setTheme(THEMES.includes(localStorage.getItem(THEME)) ? localStorage.getItem(THEME) : "auto");
  element("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    localStorage.setItem(THEME, next);
    setTheme(next);
  });
}

const isTyping = (target) => target.closest?.("input:not([type=range], [type=checkbox]), select, textarea, dialog, [role=menu]");

function listenToKeys() {
  const keys = {
    "/": () => element("search").focus(), n: () => player.skip(), b: () => player.back(),
    m: () => openView(document.body.dataset.view === "map" ? "find" : "map"),
    "?": () => element("help-dialog").showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const isSpace = event.key === " " && !event.target.closest?.("button, a, summary, input");
    const action = isSpace ? playOrPause : mayUseLetters() && keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

let version = "";

async function readStatus() {
  const status = await get("status");
  const { tracks, analysed, failed } = status;
  const state = analysed === tracks ? formatCount(tracks) : `${analysed.toLocaleString("en")} of ${formatCount(tracks)} analysed`;
  element("status").textContent = `${state}${failed ? `, ${failed.toLocaleString("en")} failed` : ""}`;
  element("status").title = status.model ? `Model: ${status.model}` : "";
  setRecipes(status.recipes);
  setWords(status.words);
  if (version && version !== status.version) forgetDetails();
  version = status.version;
  setStatus(status);
  return status;
}

function startParts() {
  onView(openView);
  startTheme();
  startDialogs();
  startMenu();
  startSearch();
  startResults();
  startPlaylist();
  startPlayerBar();
  startRadio();
  startUpload();
  startMap();
  listenToKeys();
  for (const button of element("views").querySelectorAll("button")) {
    button.addEventListener("click", () => openView(button.dataset.view));
  }
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    element("results").focus();
  });
  player.addEventListener("change", () => { markAllPlaying(); showProgress(); });
  player.addEventListener("time", showProgress);
}

async function run() {
  startParts();
  await beginSessionFromAddress();
  addEventListener("popstate", () => query.readAddress());
  const reading = readStatus();  // of which the list of all tracks needs nothing
  if (location.hash.length < 2) query.readAddress();
  try {
    const [status, options] = await Promise.all([reading, get("options")]);
    query.offered = new Set(options.similar.map(({ name }) => name));
    makeControls(status);
  } catch (error) {
    showProblem(error);
  }
  if (location.hash.length > 1) query.readAddress();
  setInterval(() => { if (!document.hidden) readStatus().catch(() => {}); }, FRESH);
  document.documentElement.dataset.ready = "yes";
}

run();
