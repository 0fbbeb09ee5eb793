// Messages that pass, such as what was added, with an action such as "Undo"; they are read out.

import { element, make } from "./dom.js";

const SECONDS = 7, MOST = 2;

export function show(words, action = null) {
  const line = make("div", { class: "message" }, make("span", { class: "text", dir: "auto", text: words }));
  if (action) {
    line.append(make("button", { class: "quiet", text: action.name, on: { click: () => { line.remove(); action.run(); } } }));
  }
  const box = element("messages");
  if (action) forgetActions();
  box.append(line);
  while (box.children.length > MOST) box.firstChild.remove();
  setTimeout(() => line.remove(), SECONDS * 1000);
}

// What could be undone by a message is not the last step any more.
export const forgetActions = () => element("messages").querySelectorAll("button").forEach((button) => button.remove());

export function showProblem(error) {
  if (error.name !== "AbortError") show(plain(error.message));
}

// Remarks of the commands name options of the command line, which the page has under other names.
export function plain(note) {
  return note
    .replace(/^--text goes by the rest: the model has no word for/, "Did not count, because the model has no word for it:")
    .replace(/^--text: /, "")
    .replace(/^--bpm: /, "Tempo: ");
}
