// Cells of the map, each with its points, to find the point nearest to a place without looking at all of them.

const CELLS = 128;
const cell = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor(value * CELLS)));

export class MapGrid {
  // `places` are x and y of each point in turn, 0 to 1.
  constructor(places) {
    this.places = places;
    const count = places.length / 2, cellOf = (at) => cell(places[2 * at + 1]) * CELLS + cell(places[2 * at]);
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    this.points = new Uint32Array(count);
    for (let at = 0; at < count; at++) this.starts[cellOf(at) + 1]++;
    for (let at = 0; at < CELLS * CELLS; at++) this.starts[at + 1] += this.starts[at];
    const next = this.starts.slice();
    for (let at = 0; at < count; at++) this.points[next[cellOf(at)]++] = at;
  }

  // The point nearest to a place, -1 where none is within `reach`.
  nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (let row = cell(y - reach); row <= cell(y + reach); row++) {
      for (let column = cell(x - reach); column <= cell(x + reach); column++) {
        const first = this.starts[row * CELLS + column], end = this.starts[row * CELLS + column + 1];
        for (let place = first; place < end; place++) {
          const point = this.points[place];
          const distance = (this.places[2 * point] - x) ** 2 + (this.places[2 * point + 1] - y) ** 2;
          if (distance < least) [best, least] = [point, distance];
        }
      }
    }
    return best;
  }
}
