// Words that compare with the track one starts from: "slower" is a range of its tempo, for the server's words know only
// what is slow among all tracks; "happier" is its plain word.

const TEMPO = { slower: "0.7-0.95", faster: "1.05-1.4" };
const SLIGHTLY = { slower: "0.85-0.98", faster: "1.02-1.18" };
const PLAIN = { slower: "slow", faster: "fast" };
const IRREGULAR = { funkier: "funky", jazzier: "jazzy", groovier: "groovy", fewer: "less" };
const COMPARED = /\b(?:(?:a )?(bit|little|slightly|somewhat) |much )?(slower|faster)\b/gi;
const STEMS = ["loud", "quiet", "soft", "bright", "dark", "calm", "warm", "gentle", "deep", "weird", "crisp", "smooth",
  "heavy", "happy", "sad", "angry", "lively", "moody", "noisy", "dreamy", "sexy", "pretty", "gloomy", "funny", "sharp"];
const BASE = new Map([...STEMS.map((stem) => [comparative(stem), stem]), ...Object.entries(IRREGULAR)]);

function comparative(stem) {
  if (stem.endsWith("y")) return `${stem.slice(0, -1)}ier`;
  if (stem.endsWith("e")) return `${stem}r`;
  return stem === "sad" ? "sadder" : `${stem}er`;
}

export const compares = (words) => words.search(COMPARED) >= 0;

// What the API is sent for words: a text, perhaps a tempo, and remarks. `hasTempo`: there is a track with a tempo to
// compare with; `tempo` is one that was chosen already.
export function readWords(words, hasTempo, tempo = "") {
  const notes = [];
  let bpm = tempo;
  const rest = words.replace(COMPARED, (phrase, slightly, word) => {
    const name = word.toLowerCase();
    if (!hasTempo) {
      notes.push(`“${phrase.trim()}”: there is no tempo to compare with, so it is taken for “${PLAIN[name]}”.`);
      return PLAIN[name];
    }
    if (bpm) {
      notes.push(`“${phrase.trim()}” did not count: there is a tempo already.`);
      return "";
    }
    bpm = (slightly ? SLIGHTLY : TEMPO)[name];
    notes.push(`“${phrase.trim()}”: ${bpm.replace("-", " to ")} times its tempo; half and double count as the same.`);
    return "";
  });
  const text = rest.replace(/[\p{L}]+/gu, (word) => BASE.get(word.toLowerCase()) ?? word);
  return { text: /[\p{L}\p{N}]/u.test(text) ? text.trim().replace(/^[\s,;]+|[\s,;]+$/g, "") : "", bpm, notes };
}
