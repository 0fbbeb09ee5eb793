// What counts: sliders for the facets, words, and what may come up.

import { element, make, paused } from "./dom.js";
import { query } from "./query.js";
import { facetClass, facets } from "./rows.js";

const MOST = 3, USUAL = 1, WAIT = 120, WORDS_WAIT = 350;
const MEANINGS = {
  timbre: "the colour of the sound", harmony: "chords and key", rhythm: "beat and tempo", semantic: "the kind of music",
  instrumentation: "instruments and voices",
};
const CHOICES = {
  bpm: ["Tempo", [["", "any"], ["0.95-1.05", "like it"], ["0.7-0.95", "slower"], ["1.05-1.4", "faster"]]],
  vocals: ["Voices", [["", "any"], ["none", "none"], ["sung", "somewhere"], ["throughout", "throughout"]]],
  key: ["Key", [["", "any"], ["compatible", "mixes well"]]],
  rerank: ["Order", [["", "likeness"], ["mmr", "variety"]]],
  per_artist: ["Per artist", [["", "as configured"], ["1", "1 track"], ["2", "2 tracks"], ["5", "5 tracks"], ["0", "any number"]]],
  per_album: ["Per album", [["", "as configured"], ["1", "1 track"], ["2", "2 tracks"], ["5", "5 tracks"], ["0", "any number"]]],
};
const COMPARES = new Set(["bpm", "key"]);  // with a track to start from
const EXAMPLES = ["more piano", "slower", "no vocals", "calm"];
let sliders = {};

const format = (weight) => (weight === 0 ? "off" : `×${weight.toFixed(1)}`);

function sendWeights() {
  const pairs = Object.entries(sliders).filter(([, { input }]) => Number(input.value) !== USUAL);
  query.change({ weights: pairs.map(([name, { input }]) => `${name}=${input.value}`).join(",") });
}

function sliderOf(name, later) {
  const output = make("output", { text: format(USUAL) });
  const input = make("input", { type: "range", min: 0, max: MOST, step: 0.1, value: USUAL, "aria-describedby": `about-${name}`, on: {
    input: () => { label(sliders[name]); later(); },
    dblclick: () => { input.value = USUAL; label(sliders[name]); sendWeights(); },
  } });
  const row = make("label", { class: `slider ${facetClass(name)}` },
    make("span", { class: "name" }, make("span", { class: "swatch" }), name, output),
    input, MEANINGS[name] ? make("span", { class: "dim", id: `about-${name}`, text: MEANINGS[name] }) : null);
  return { row, input, output };
}

function label({ input, output }) {
  output.textContent = format(Number(input.value));
  input.setAttribute("aria-valuetext", output.textContent);
  input.style.setProperty("--share", `${100 * input.value / MOST}%`);
}

function facetPart() {
  sliders = Object.fromEntries(facets.names.map((name) => [name, sliderOf(name, paused(WAIT, sendWeights))]));
  const reset = make("button", { class: "quiet", type: "button", id: "even", text: "Even", title: "All count the same", on: {
    click: () => query.change({ weights: "", taste: "" }),
  } });
  return make("fieldset", { id: "facets" }, make("legend", { text: "What counts" }), reset,
    ...Object.values(sliders).map(({ row }) => row));
}

function wordPart() {
  const input = make("input", { id: "words", type: "text", placeholder: "more piano, slower", autocomplete: "off", "aria-describedby": "examples" });
  const send = () => { if (input.value.trim() !== query.get("text")) query.change({ text: input.value.trim() }); };
  input.addEventListener("input", paused(WORDS_WAIT, send));
  input.addEventListener("change", send);
  const examples = make("p", { class: "examples", id: "examples" });
  for (const words of EXAMPLES) {
    examples.append(make("button", { class: "quiet", type: "button", text: words, label: `Add the words: ${words}`, on: { click: () => {
      input.value = [input.value.trim(), words].filter(Boolean).join(", ");
      send();
    } } }));
  }
  return make("fieldset", {}, make("legend", { text: "In words" }), make("label", { class: "hidden-text", htmlFor: "words", text: "Words" }), input, examples);
}

function selectOf(name) {
  const [title, choices] = CHOICES[name];
  const select = make("select", { id: `only-${name}`, on: { change: () => query.change({ [name]: select.value }) } },
    ...choices.map(([value, words]) => make("option", { value, text: words })));
  return make("label", { class: "choice" }, title, select);
}

function checkOf(name, words) {
  const input = make("input", { type: "checkbox", id: `only-${name}`, on: { change: () => query.change({ [name]: input.checked ? "true" : "" }) } });
  return make("label", { class: "check" }, input, words);
}

function restPart(hasTaste) {
  const names = Object.keys(CHOICES).filter((name) => query.offers(name));
  const from = make("input", { id: "only-from", type: "text", placeholder: "genres:jazz", autocomplete: "off", spellcheck: false, on: {
    change: () => query.change({ from: from.value.trim() }),
  } });
  return make("fieldset", {}, make("legend", { text: "What may come up" }), ...names.map(selectOf),
    query.offers("from") ? make("label", { class: "choice" }, "Only from", from) : null,
    query.offers("versions") ? checkOf("versions", "Other versions of the same song") : null,
    hasTaste ? checkOf("taste", "Weigh as I was taught to (taste)") : null);
}

function showValues() {
  const { weights } = query, words = element("words");
  for (const [name, slider] of Object.entries(sliders)) {
    slider.input.value = weights[name] ?? USUAL;
    slider.input.disabled = !query.hasTrack;
    label(slider);
  }
  element("even").hidden = !query.get("weights");
  if (document.activeElement !== words) words.value = query.get("text");
  for (const name of [...Object.keys(CHOICES), "from"].filter((one) => query.offers(one))) element(`only-${name}`).value = query.get(name);
  for (const name of COMPARES) if (query.offers(name)) element(`only-${name}`).disabled = !query.hasTrack;
  for (const name of ["versions", "taste"]) {
    const input = element(`only-${name}`);
    if (input) input.checked = query.get(name) === "true";
  }
}

export function makeControls(status) {
  const form = element("controls"), isWide = matchMedia("(min-width: 1100px)");
  facets.names = status.facets;
  const box = make("details", { open: isWide.matches }, make("summary", { text: "What counts, and what may come up" }),
    make("div", { class: "parts" }, ...(status.facets.length && query.offers("weights") ? [facetPart()] : []), status.words && query.offers("text") ? wordPart() : make("input", { id: "words", hidden: true, label: "Words" }),
      restPart(status.has_taste)));
  isWide.addEventListener("change", () => { box.open = isWide.matches; });
  form.replaceChildren(box);
  form.addEventListener("submit", (event) => event.preventDefault());
  if (!element("even")) form.append(make("button", { id: "even", hidden: true, text: "Even" }));
  query.addEventListener("change", showValues);
  showValues();
}
