// Points of the map, drawn pixel by pixel: where graphics are done in software, this is the fastest way.

const SHIFT = 24, FULL = 255;

// A point as [x, y, opacity] of its pixels around its middle, 0 to 255; its edge is smooth.
export function stampOf(size, opacity) {
  const radius = size / 2, reach = Math.ceil(radius), stamp = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const cover = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x, y)));
      if (cover > 0.05) stamp.push([x, y, Math.round(FULL * cover * opacity)]);
    }
  }
  return stamp;
}

// A colour such as #2f7fc1 as a pixel without opacity: of the bytes of a pixel, red is the lowest.
function pixelOf(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return blue << 16 | green << 8 | red;
}

export class PixelPoints {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.count = 0;
    this.kind = "pixels";
  }

  load(places, shades, colours) {
    const known = colours.map(pixelOf);
    Object.assign(this, { places, count: shades.length, colours: Uint32Array.from(shades, (shade) => known[shade]) });
  }

  // Makes the pixels as many as the canvas has on the screen, and empty.
  begin(ratio) {
    const { canvas } = this, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height, this.image] = [width, height, null];
    if (!width || !height) return false;
    this.image ??= this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.pixels.fill(0);
    return true;
  }

  draw({ scale, x, y }, size, opacity) {
    const ratio = devicePixelRatio || 1;
    if (!this.begin(ratio)) return;
    const { places, colours, count, pixels, canvas: { width, height } } = this, stamp = stampOf(size * ratio, opacity);
    const reach = Math.ceil(size * ratio / 2), offsets = Int32Array.from(stamp, ([dx, dy]) => dy * width + dx);
    const opacities = Uint8Array.from(stamp, (cell) => cell[2]), cells = offsets.length;
    for (let at = 0; at < count; at++) {
      const column = (places[2 * at] * scale + x) * ratio | 0, row = (places[2 * at + 1] * scale + y) * ratio | 0;
      if (column < reach || row < reach || column >= width - reach || row >= height - reach) continue;
      const middle = row * width + column, colour = colours[at];
      for (let cell = 0; cell < cells; cell++) {
        const pixel = middle + offsets[cell], sum = (pixels[pixel] >>> SHIFT) + opacities[cell];
        pixels[pixel] = (sum > FULL ? FULL : sum) << SHIFT | colour;
      }
    }
    this.context.putImageData(this.image, 0, 0);
  }
}
