// Dialogs: the server's token, the name of a recipe, help.

import { onTokenNeeded, post } from "./api.js";
import { element, formatCount } from "./dom.js";
import { plain, show } from "./messages.js";
import { playlist } from "./playlist.js";

const LETTERS = "resonance-letters";
const server = { keepsRecipes: false };

// Opens a dialog with a form; `submit` is tried until it succeeds. Resolves to whether it has.
function runForm(name, submit) {
  const dialog = element(`${name}-dialog`), error = element(`${name}-error`), form = dialog.querySelector("form");
  error.textContent = "";
  dialog.showModal();
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

// The options to make the list again by: those that made it, or its tracks to start from.
const recipeOptions = () => playlist.recipe ?? { id: playlist.tracks.slice(0, 500).map((track) => track.id), count: playlist.entries.length };

function cleanOptions(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== "" && value !== undefined && value?.length !== 0));
}

export async function saveRecipe() {
  if (!server.keepsRecipes) {
    show("The server was given no folder for playlists; start it with `beet resonance serve --recipes FOLDER`.");
    return;
  }
  const count = formatCount(playlist.entries.length), input = element("recipe-name");
  element("recipe-why").textContent = playlist.recipe
    ? `The playlist is as it was made, and is made again in the same way: ${count}.`
    : `The list has been put together by hand. A recipe starts from its ${count} and may choose others that go with them; ` +
      "Export m3u8 saves them exactly.";
  const body = () => ({ name: input.value.trim(), options: cleanOptions(recipeOptions()) });
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
