// Elements of the page. What comes from tags is only ever set as text, never as markup.

export const element = (id) => document.getElementById(id);

const AS_ATTRIBUTES = new Set(["draggable", "list", "role"]);

// make("button", { class: "icon", label: "Play", on: { click } }, child, "text") returns an element.
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name === "label") made.setAttribute("aria-label", value);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made && !AS_ATTRIBUTES.has(name)) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(use);
  return drawing;
}

export function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `#icon-${name}`);
}

export const iconButton = (name, label, click, more = {}) =>
  make("button", { class: "icon", type: "button", label, title: label, on: { click }, ...more }, icon(name));

// A text of tags: marks of direction in it end with it.
export const text = (words, kind = "", tag = "span") =>
  make(tag, { class: `text ${kind}`.trim(), dir: "auto", text: words, title: words });

export function formatTime(seconds) {
  const whole = Math.max(0, Math.round(seconds || 0)), hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60, rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export const formatCount = (number, noun = "track") =>
  `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

export const nameOf = (track) => (track.artist ? `${track.title} by ${track.artist}` : track.title);

// Calls a function once the calls have paused.
export function paused(milliseconds, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(action, milliseconds, ...values);
  };
}

export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
