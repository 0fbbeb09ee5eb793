// Search by an audio file: dropped on the page, or chosen. It is sent to the server, which keeps its analysis for a while.

import { openView } from "./actions.js";
import { element, paused } from "./dom.js";
import { show } from "./messages.js";
import { query } from "./query.js";

const AUDIO = /\.(aac|aif|aiff|ape|flac|m4a|m4b|mp3|mp4|mpc|oga|ogg|opus|wav|wma|wv)$/i;
const STILL = 700;  // milliseconds without a sign of the file after which it is taken to be elsewhere

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
  const input = element("file"), cover = element("drop"), hide = () => { cover.hidden = true; };
  const hideLater = paused(STILL, hide);
  element("upload").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    searchBy(input.files[0]);
    input.value = "";
  });
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
    hideLater();
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) hide(); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    hide();
    searchBy(event.dataTransfer.files[0]);
  });
}
