"use strict";
// Whatever comes from tags is set as textContent, drawn on a canvas, or written to a file; nothing of it is markup.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const count = data.x.length, canvas = element("map"), context = canvas.getContext("2d");
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#7f5fc0",
  "#8c564b", "#17becf", "#98df8a", "#ff9896", "#6b6ecf", "#a55194", "#5f9e3a", "#c49c94"];
const RAMP = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const LISTED = 200, NEAR = 10, CELLS = 128, EXTENT = 65535;
const GREY = getComputedStyle(document.documentElement).getPropertyValue("--grey").trim();
const TEXT = getComputedStyle(document.documentElement).getPropertyValue("--text").trim();
const BACK = getComputedStyle(document.documentElement).getPropertyValue("--back").trim();

const X = Float32Array.from(data.x, (value) => value / EXTENT), Y = Float32Array.from(data.y, (value) => 1 - value / EXTENT);
const groups = new Uint8Array(count);  // the colour of each track, 0 for none
let colours = [GREY], order = new Uint32Array(count), clusterColours = false;
let matches = null, chosen = null, hidden = new Set();  // bytes by track, or null for no search and no selection
let view = { scale: 1, x: 0, y: 0 }, hovered = -1, drag = null, loop = [], lassoing = false, isDue = false;

// What a track is called.
const text = (name, track) => data.words[name][data.codes[name][track]] ?? "";
const label = (track) => [text("artist", track), data.title[track]].filter(Boolean).join(" - ");
const decode = (packed) => Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));

// Cells of the square, each with its tracks, to find the one under the pointer.
const cell = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor(value * CELLS)));
const starts = new Uint32Array(CELLS * CELLS + 1), inCells = new Uint32Array(count);
for (let track = 0; track < count; track++) starts[cell(Y[track]) * CELLS + cell(X[track]) + 1]++;
for (let place = 0; place < CELLS * CELLS; place++) starts[place + 1] += starts[place];
{
  const next = starts.slice();
  for (let track = 0; track < count; track++) inCells[next[cell(Y[track]) * CELLS + cell(X[track])]++] = track;
}

function nearest(x, y) {
  const reach = NEAR / view.scale, px = (x - view.x) / view.scale, py = (y - view.y) / view.scale;
  let best = -1, least = reach * reach;
  for (let row = cell(py - reach); row <= cell(py + reach); row++) {
    for (let column = cell(px - reach); column <= cell(px + reach); column++) {
      for (let place = starts[row * CELLS + column]; place < starts[row * CELLS + column + 1]; place++) {
        const track = inCells[place], distance = (X[track] - px) ** 2 + (Y[track] - py) ** 2;
        if (distance < least && isShown(track)) [best, least] = [track, distance];
      }
    }
  }
  return best;
}
const isShown = (track) => !hidden.has(groups[track]);

// Colours.
function colourBy(mode) {
  hidden = new Set();
  clusterColours = mode === "cluster";
  const [kind, name] = mode.split(/:(.*)/s);
  const legend = element("legend"), numeric = kind !== "word" && mode !== "cluster";
  legend.replaceChildren();
  for (const id of ["scale", "ends"]) element(id).hidden = !numeric;
  if (numeric) colourByNumber(kind === "tag" ? data.tags[name] : data.numbers[name], kind === "tag");
  else colourByWord(mode === "cluster" ? "cluster" : name, legend);
  data.lines.forEach(({ name: words, tracks }, place) => {
    legend.append(legendRow(words, tracks.length, lineColour(place)));
  });
  const sizes = new Uint32Array(colours.length + 1);
  for (let track = 0; track < count; track++) sizes[groups[track] + 1]++;
  for (let group = 0; group < colours.length; group++) sizes[group + 1] += sizes[group];
  for (let track = 0; track < count; track++) order[sizes[groups[track]]++] = track;
  redraw();
}

function colourByNumber({ packed, low, high }, isShare) {
  const steps = decode(packed);  // 0 for an unknown value, then 1 to 255 from low to high
  colours = [GREY, ...RAMP];
  for (let track = 0; track < count; track++) {
    groups[track] = steps[track] && 1 + Math.round((steps[track] - 1) / 254 * (RAMP.length - 1));
  }
  const scale = element("scale").getContext("2d");
  RAMP.forEach((colour, place) => {
    scale.fillStyle = colour;
    scale.fillRect(place * 256 / RAMP.length, 0, 256 / RAMP.length + 1, 1);
  });
  const [from, to] = element("ends").children;
  [from.textContent, to.textContent] = [low, high].map((value) => isShare ? `${(100 * value).toPrecision(2)} %` : value);
}

function colourByWord(name, legend) {
  const words = data.words[name], codes = data.codes[name], counts = new Uint32Array(words.length);
  for (let track = 0; track < count; track++) counts[codes[track]]++;
  const common = [...words.keys()].filter((code) => words[code] && counts[code]).sort((a, b) => counts[b] - counts[a]);
  const listed = common.slice(0, PALETTE.length), byCode = new Uint8Array(words.length);
  colours = [GREY, ...PALETTE.slice(0, listed.length)];
  listed.forEach((code, place) => { byCode[code] = place + 1; });
  for (let track = 0; track < count; track++) groups[track] = byCode[codes[track]];
  listed.forEach((code, place) => {
    legend.append(legendRow(words[code], counts[code], colours[place + 1], place + 1));
  });
  const rest = count - listed.reduce((sum, code) => sum + counts[code], 0);
  if (rest) legend.append(legendRow("others", rest, GREY, 0));
}

const lineColour = (place) => PALETTE[(place + 5) % PALETTE.length];
function legendRow(word, size, colour, group = -1) {
  const row = document.createElement("li"), swatch = document.createElement("span");
  const name = document.createElement("span"), number = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = colour;
  [name.className, name.dir, name.textContent] = ["name text", "auto", word];
  [number.className, number.textContent] = ["count", size.toLocaleString("en")];
  row.append(swatch, name, number);
  if (group >= 0) row.addEventListener("click", () => {
    hidden.has(group) ? hidden.delete(group) : hidden.add(group);
    row.style.opacity = hidden.has(group) ? .35 : 1;
    redraw();
  });
  return row;
}

// Drawing.
// Points are written into an array of pixels, which takes a tenth of the time of drawing each on the canvas.
const DIM = 90;  // the opacity of tracks that are neither found nor chosen, of 255
let pixels = null;
function pixelOf(colour) {
  const number = parseInt(colour.slice(1).replace(/^(.)(.)(.)$/, "$1$1$2$2$3$3"), 16);
  return (number >> 16 & 255) | (number & 0xFF00) | (number & 255) << 16;
}
function discOf(size) {
  const reach = Math.ceil(size / 2), disc = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const cover = Math.max(0, Math.min(1, size / 2 + .5 - Math.hypot(dx, dy)));
      if (cover) disc.push([dx, dy, Math.round(255 * cover)]);
    }
  }
  return { reach, disc };
}

function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; draw(); });
}

function draw() {
  const began = performance.now(), ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const zoom = view.scale / fitted().scale;
  const size = Math.max(2, Math.min(12, 260 / Math.sqrt(count) * Math.sqrt(zoom), 6 * Math.sqrt(zoom)));
  drawPoints(size * ratio, ratio);
  data.lines.forEach(drawLine);
  if (clusterColours) drawNames();
  if (hovered >= 0) ring(hovered, size);
  drawLoop();
  document.documentElement.dataset.drawn = (performance.now() - began).toFixed(1);
}

function drawPoints(size, ratio) {
  const { width, height } = canvas;
  if (pixels?.width !== width || pixels.height !== height) pixels = context.createImageData(width, height);
  const buffer = new Uint32Array(pixels.data.buffer), shades = colours.map(pixelOf), grey = pixelOf(GREY);
  const { reach, disc } = discOf(size), lit = chosen || matches, isGroupHidden = colours.map((_, group) => hidden.has(group));
  buffer.fill(0);
  for (const isDim of lit ? [true, false] : [false]) {
    const stamp = disc.map(([dx, dy, cover]) => [dx + dy * width, isDim ? Math.round(cover * DIM / 255) : cover]);
    const offsets = Int32Array.from(stamp, ([offset]) => offset), covers = Uint8Array.from(stamp, ([, cover]) => cover);
    for (let place = 0; place < count; place++) {
      const track = order[place], group = groups[track];
      if (isGroupHidden[group] || lit && !lit[track] !== isDim) continue;
      const x = Math.round((X[track] * view.scale + view.x) * ratio), y = Math.round((Y[track] * view.scale + view.y) * ratio);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const shade = isDim ? grey : shades[group], centre = y * width + x;
      for (let step = 0; step < offsets.length; step++) {
        const at = centre + offsets[step], cover = covers[step];
        if (cover >= buffer[at] >>> 24) buffer[at] = shade | cover << 24;
      }
    }
  }
  context.putImageData(pixels, 0, 0);
}

function drawLine({ tracks }, place) {
  context.lineWidth = 2;
  for (const [colour, extra] of [[BACK, 2], [lineColour(place), 0]]) {
    context.strokeStyle = colour;
    context.lineWidth = 2 + extra;
    context.beginPath();
    for (const track of tracks) context.lineTo(X[track] * view.scale + view.x, Y[track] * view.scale + view.y);
    context.stroke();
  }
  tracks.forEach((track, step) => ring(track, step ? 5 : 11));
}

function ring(track, size) {
  context.strokeStyle = TEXT;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(X[track] * view.scale + view.x, Y[track] * view.scale + view.y, size / 2 + 2, 0, 2 * Math.PI);
  context.stroke();
}

function drawNames() {
  context.font = "600 13px system-ui, sans-serif";
  context.textAlign = "center";
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = BACK;
  context.fillStyle = TEXT;
  const boxes = [];
  for (const track of data.centres) {  // the largest cluster first; a name that would cover another is left out
    const spot = X[track] * view.scale + view.x, y = Y[track] * view.scale + view.y;
    if (spot < 0 || y < 0 || spot > canvas.clientWidth || y > canvas.clientHeight) continue;
    const words = text("cluster", track), half = context.measureText(words).width / 2 + 4;
    const x = Math.max(half, Math.min(spot, canvas.clientWidth - half));
    if (boxes.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < 18)) continue;
    boxes.push({ x, y, half });
    context.strokeText(words, x, y);
    context.fillText(words, x, y);
  }
}

function drawLoop() {
  if (loop.length < 2) return;
  context.strokeStyle = TEXT;
  context.lineWidth = 1.5;
  context.setLineDash([4, 3]);
  context.beginPath();
  for (const [x, y] of loop) context.lineTo(x, y);
  context.closePath();
  context.stroke();
  context.setLineDash([]);
}

// Where the view is.
const bounds = (places) => places.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [1, 0]);
const [[left, right], [upper, lower]] = [bounds(X), bounds(Y)];
function fitted() {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = .92 * Math.min(width / Math.max(right - left, .05), height / Math.max(lower - upper, .05));
  return { scale, x: (width - (left + right) * scale) / 2, y: (height - (upper + lower) * scale) / 2 };
}
function zoomAt(x, y, factor) {
  const least = fitted().scale, scale = Math.max(least / 2, Math.min(least * 400, view.scale * factor));
  view = { scale, x: x - (x - view.x) * scale / view.scale, y: y - (y - view.y) * scale / view.scale };
  redraw();
}
function showAll() { view = fitted(); redraw(); }
function focus(tracks) {
  if (!tracks.length) return;
  const [xs, ys] = [X, Y].map((places) => bounds(tracks.map((track) => places[track])));
  const whole = fitted().scale, side = Math.max(xs[1] - xs[0], ys[1] - ys[0], 1 / 8);
  const scale = Math.min(whole * 8, Math.min(canvas.clientWidth, canvas.clientHeight) / side * .85);
  view = { scale, x: (canvas.clientWidth - (xs[0] + xs[1]) * scale) / 2, y: (canvas.clientHeight - (ys[0] + ys[1]) * scale) / 2 };
  redraw();
}

// Search and selection.
const haystack = Array.from({ length: count }, (_, track) => `${label(track)} ${text("album", track)}`.toLowerCase());
function search(words) {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean);
  matches = parts.length ? Uint8Array.from(haystack, (hay) => parts.every((part) => hay.includes(part))) : null;
  element("found").textContent = matches ? tracksOf(matches.reduce((sum, one) => sum + one, 0)) : "";
  redraw();
}
const tracksOf = (number) => number === 1 ? "1 track" : `${number.toLocaleString("en")} tracks`;
const listed = (marks) => [...marks.keys()].filter((track) => marks[track]);

function choose(marks) {
  chosen = marks;
  const tracks = marks ? listed(marks) : [], list = element("selection");
  element("save").disabled = !tracks.length;
  element("chosen").textContent = marks ? `${tracksOf(tracks.length)} chosen` : "Draw a lasso around tracks to choose them.";
  list.replaceChildren(...tracks.slice(0, LISTED).map((track) => {
    const row = document.createElement("li");
    [row.className, row.dir, row.textContent] = ["text", "auto", label(track)];
    return row;
  }));
  if (tracks.length > LISTED) list.append(Object.assign(document.createElement("li"), { textContent: `and ${(tracks.length - LISTED).toLocaleString("en")} more` }));
  redraw();
}

function inLoop(x, y) {
  let inside = false;
  for (let one = 0, other = loop.length - 1; one < loop.length; other = one++) {
    const [ax, ay] = loop[one], [bx, by] = loop[other];
    if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
function endLoop() {
  const marks = new Uint8Array(count);
  for (let track = 0; track < count; track++) {
    marks[track] = isShown(track) && inLoop(X[track] * view.scale + view.x, Y[track] * view.scale + view.y);
  }
  choose(loop.length > 2 && marks.some(Boolean) ? marks : null);
  loop = [];
  redraw();
}

// A playlist. A path is bytes: those that are no UTF-8 come as the surrogates U+DC80 to U+DCFF, as Python has them.
function bytesOf(path) {
  const encoder = new TextEncoder(), parts = [];
  for (const part of path.split(/([\uDC80-\uDCFF](?<![\uD800-\uDBFF].))/)) {
    const code = part.length === 1 ? part.charCodeAt(0) : 0;
    parts.push(code >= 0xDC80 && code <= 0xDCFF ? Uint8Array.of(code - 0xDC00) : encoder.encode(part));
  }
  return new Blob(parts);
}
function playlist(tracks) {
  const parts = ["#EXTM3U\n"];
  for (const track of tracks) {
    const path = data.folders[data.folder[track]] + data.file[track];
    if (/[\r\n]/.test(path)) continue;
    parts.push(`#EXTINF:${data.seconds[track] || -1},${label(track).replace(/\s+/g, " ").trim()}\n`, bytesOf(path), "\n");
  }
  return new Blob(parts, { type: "audio/x-mpegurl" });
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(playlist(listed(chosen)));
  link.download = "map.m3u8";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The track under the pointer.
function show(track, x, y) {
  const tip = element("tip");
  if (track !== hovered) {
    hovered = track;
    redraw();
  }
  tip.hidden = track < 0;
  if (track < 0) return;
  const rest = ["album", "genre", "cluster"].map((name) => text(name, track)).filter(Boolean);
  tip.replaceChildren(...[data.title[track], text("artist", track), ...rest].filter(Boolean).map((words, place) => {
    const line = document.createElement("div");
    [line.className, line.dir, line.textContent] = [place ? "" : "title", "auto", words];
    return line;
  }));
  tip.style.left = `${Math.max(0, Math.min(x + 14, canvas.clientWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(0, Math.min(y + 14, canvas.clientHeight - tip.offsetHeight - 4))}px`;
}

function listen() {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { x: event.offsetX, y: event.offsetY, view, isLasso: lassoing || event.shiftKey };
    loop = drag.isLasso ? [[event.offsetX, event.offsetY]] : [];
  });
  canvas.addEventListener("pointermove", (event) => {
    const { offsetX: x, offsetY: y } = event;
    if (!drag) return show(nearest(x, y), x, y);
    if (drag.isLasso) loop.push([x, y]);
    else view = { ...drag.view, x: drag.view.x + x - drag.x, y: drag.view.y + y - drag.y };
    redraw();
  });
  canvas.addEventListener("pointerup", () => {
    if (drag?.isLasso) endLoop();
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; loop = []; redraw(); });
  canvas.addEventListener("pointerleave", () => { if (!drag) show(-1); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0015)));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const [right, down] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] || [0, 0];
    const factor = { "+": 1.25, "=": 1.25, "-": .8 }[event.key];
    if (factor) zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor);
    else if (event.key === "Escape") choose(null);
    else if (right || down) { view = { ...view, x: view.x + 60 * right, y: view.y + 60 * down }; redraw(); }
    else return;
    event.preventDefault();
  });
  element("colour").addEventListener("change", (event) => colourBy(event.target.value));
  element("search").addEventListener("input", (event) => search(event.target.value));
  element("search").addEventListener("keydown", (event) => { if (event.key === "Enter" && matches) focus(listed(matches)); });
  element("whole").addEventListener("click", showAll);
  element("save").addEventListener("click", save);
  element("lasso").addEventListener("click", () => {
    lassoing = !lassoing;
    element("lasso").setAttribute("aria-pressed", lassoing);
  });
  addEventListener("resize", () => { showAll(); followTrack(); });
  addEventListener("hashchange", follow);
}

function fillMenu() {
  const groupsOf = [["", data.modes.map(([mode, name]) => [mode, name])],
    ["tags of the model", Object.keys(data.tags).map((name) => [`tag:${name}`, name])]];
  for (const [title, options] of groupsOf) {
    if (!options.length) continue;
    const menu = title ? Object.assign(document.createElement("optgroup"), { label: title }) : element("colour");
    for (const [value, name] of options) menu.append(Object.assign(document.createElement("option"), { value, textContent: name }));
    if (title) element("colour").append(menu);
  }
}

// The address may name what to show: #colour=cluster, #search=words, #track=0.
function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1)), colour = wanted.get("colour");
  if ([...element("colour").options].some(({ value }) => value === colour)) {
    element("colour").value = colour;
    colourBy(colour);
  }
  if (wanted.has("search")) search(element("search").value = wanted.get("search"));
  followTrack();
}
function followTrack() {
  const track = Number(new URLSearchParams(location.hash.slice(1)).get("track") ?? -1);
  if (Number.isInteger(track) && track >= 0 && track < count) {
    focus([track]);
    show(track, X[track] * view.scale + view.x, Y[track] * view.scale + view.y);
  }
}

element("summary").textContent = data.summary;
fillMenu();
view = fitted();
listen();
if (data.modes.length) colourBy(element("colour").value);
follow();
draw();
document.documentElement.dataset.ready = count;
