// Search by an audio file: dropped on the page, or chosen. It is sent to the server, which keeps nothing of it.

import { openView } from "./actions.js";
import { element } from "./dom.js";
import { show } from "./messages.js";
import { query } from "./query.js";

const AUDIO = /\.(aac|aif|aiff|ape|flac|m4a|m4b|mp3|mp4|mpc|oga|ogg|opus|wav|wma|wv)$/i;

export function searchBy(file) {
  if (!file) return;
  if (!file.type.startsWith("audio/") && !AUDIO.test(file.name)) {
    show(`${file.name} is not an audio file.`);
    return;
  }
  openView("find");
  query.startFromFile(file);
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

export function startUpload() {
  const input = element("file"), cover = element("drop");
  element("upload").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    searchBy(input.files[0]);
    input.value = "";
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) cover.hidden = true; });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    cover.hidden = true;
    searchBy(event.dataTransfer.files[0]);
  });
}
