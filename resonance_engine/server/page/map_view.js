// Where the view of the map is: { scale, x, y } in pixels of the page, for places 0 to 1.

const MARGIN = 0.9, LEAST = 0.5, MOST = 400, FOCUS = 8;

export class MapView {
  constructor(canvas) {
    this.canvas = canvas;
    this.places = new Float32Array(0);
    this.isWhole = true;
    this.now = { scale: 1, x: 0, y: 0 };
  }

  load(places) {
    this.places = places;
    this.bounds = [1, 0, 1, 0];
    for (let at = 0; at < places.length; at += 2) {
      const [left, right, top, bottom] = this.bounds;
      this.bounds = [Math.min(left, places[at]), Math.max(right, places[at]), Math.min(top, places[at + 1]), Math.max(bottom, places[at + 1])];
    }
    this.showAll();
  }

  get whole() {
    const { clientWidth: width, clientHeight: height } = this.canvas, [left, right, top, bottom] = this.bounds ?? [0, 1, 0, 1];
    const scale = MARGIN * Math.min(width / Math.max(right - left, 0.05), height / Math.max(bottom - top, 0.05));
    return { scale, x: (width - (left + right) * scale) / 2, y: (height - (top + bottom) * scale) / 2 };
  }

  get zoom() {
    return this.now.scale / this.whole.scale;
  }

  showAll() {
    this.now = this.whole;
    this.isWhole = true;
  }

  fit() {
    if (this.isWhole) this.now = this.whole;
  }

  shift(x, y) {
    this.now = { ...this.now, x: this.now.x + x, y: this.now.y + y };
    this.isWhole = false;
  }

  zoomAt(x, y, factor) {
    const { now } = this, least = this.whole.scale, scale = Math.max(least * LEAST, Math.min(least * MOST, now.scale * factor));
    this.now = { scale, x: x - (x - now.x) * scale / now.scale, y: y - (y - now.y) * scale / now.scale };
    this.isWhole = false;
  }

  focus(point) {
    const scale = Math.max(this.now.scale, this.whole.scale * FOCUS ** 0.5), { clientWidth, clientHeight } = this.canvas;
    this.now = { scale, x: clientWidth / 2 - this.places[2 * point] * scale, y: clientHeight / 2 - this.places[2 * point + 1] * scale };
    this.isWhole = false;
  }

  pixels(point) {
    return [this.places[2 * point] * this.now.scale + this.now.x, this.places[2 * point + 1] * this.now.scale + this.now.y];
  }

  place(x, y) {
    return [(x - this.now.x) / this.now.scale, (y - this.now.y) / this.now.scale];
  }
}
