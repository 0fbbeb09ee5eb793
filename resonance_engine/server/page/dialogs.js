// Dialogs: the server's token, the name of a recipe, help.

import { onTokenNeeded, post } from "./api.js";
import { element, formatCount } from "./dom.js";
import { plain, show } from "./messages.js";
import { MOST_TRACKS, playlist } from "./playlist.js";
import { query } from "./query.js";

const LETTERS = "resonance-letters";
const UNLIMITED = { per_artist: 0, per_album: 0, versions: true };
const server = { keepsRecipes: false };

// Opens a dialog with a form; `submit` is tried until it succeeds. Resolves to whether it has.
function runForm(name, submit) {
  const dialog = element(`${name}-dialog`), error = element(`${name}-error`), form = dialog.querySelector("form");
  error.textContent = "";
  dialog.showModal();
  dialog.querySelector("input").select();
  return new Promise((resolve) => {
    let hasSucceeded = false;
    const go = async (event) => {
      event.preventDefault();
      try {
        await submit();
        hasSucceeded = true;
        dialog.close();
      } catch (problem) {
        error.textContent = plain(problem.message);
      }
    };
    form.addEventListener("submit", go);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", go);
      resolve(hasSucceeded);
    }, { once: true });
  });
}

let pending = null;  // one dialog for all requests that wait for it

function requestToken(why) {
  const input = element("token");
  element("token-why").textContent = why.includes("Authorization") ? "From this machine or by this name, the music is for those who have the token." : why;
  input.value = "";
  pending ??= runForm("token", () => post("session", { token: input.value.trim() })).finally(() => { pending = null; });
  return pending;
}

// The options to fill gaps of the list by: those that made it, or its tracks to start from, all of which may stay.
const recipeOptions = () => playlist.recipe ?? { id: listedIds(), count: listedIds().length, ...UNLIMITED };
const listedIds = () => playlist.tracks.slice(0, MOST_TRACKS).map((track) => track.id);

function cleanOptions(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== "" && value !== undefined && value?.length !== 0));
}

// A name of a file for what was searched for.
const nameFor = (words) => words.replace(/[/\\:*?"<>|]/g, " ").replace(/\s+/g, " ").replace(/^[. ]+/, "").slice(0, 60).trim();

export async function saveRecipe() {
  if (!server.keepsRecipes) {
    show("The server was given no folder for playlists; start it with `beet resonance serve --recipes FOLDER`.");
    return;
  }
  const count = formatCount(listedIds().length), input = element("recipe-name");
  element("recipe-saved").textContent = `The file has these ${count}, in this order.`;
  element("recipe-refreshed").textContent = playlist.recipe
    ? "replaces tracks that are gone, or that the search no longer allows, by others that it finds."
    : "replaces tracks that are gone by others that sound like the rest.";
  const body = () => ({ name: input.value.trim(), options: cleanOptions(recipeOptions()), tracks: listedIds() });
  input.value = nameFor(query.get("text") || query.get("query"));
  let file = "";
  if (await runForm("recipe", async () => { ({ file } = await post("recipes", body())); })) show(`Saved as ${file}.`);
}

export const mayUseLetters = () => element("letters").checked;

export function setRecipes(isOffered) {
  server.keepsRecipes = isOffered;
}

export function startDialogs() {
  onTokenNeeded(requestToken);
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  element("help").addEventListener("click", () => element("help-dialog").showModal());
  const letters = element("letters");
  letters.checked = localStorage.getItem(LETTERS) !== "no";
  letters.addEventListener("change", () => localStorage.setItem(LETTERS, letters.checked ? "yes" : "no"));
}
