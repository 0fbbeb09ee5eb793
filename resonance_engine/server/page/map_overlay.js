// What lies over the points of the map: the line of the playlist, rings, names of clusters, and a cross for the keys.

const NAME_HEIGHT = 18, MOST_NUMBERED = 60;

export class MapOverlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  begin() {
    const { canvas, context } = this, ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const style = getComputedStyle(canvas);
    [this.text, this.back, this.accent, this.line] = ["--text", "--ground", "--accent", "--path"].map((name) => style.getPropertyValue(name).trim());
    context.lineJoin = context.lineCap = "round";
  }

  // The playlist as a line through places [x, y] in pixels, with a dot for each track, the first one ringed.
  drawLine(places) {
    const { context } = this;
    for (const [colour, width] of [[this.back, 5], [this.line, 2.25]]) {
      [context.strokeStyle, context.lineWidth] = [colour, width];
      context.beginPath();
      for (const [x, y] of places) context.lineTo(x, y);
      context.stroke();
    }
    places.slice(0, MOST_NUMBERED).forEach(([x, y], at) => {
      context.beginPath();
      context.arc(x, y, at ? 4 : 6, 0, 2 * Math.PI);
      [context.fillStyle, context.strokeStyle, context.lineWidth] = [this.line, this.back, 1.5];
      context.fill();
      context.stroke();
    });
  }

  ring([x, y], size, colour = this.text) {
    const { context } = this;
    for (const [shade, width] of [[this.back, 4.5], [colour, 2.25]]) {
      [context.strokeStyle, context.lineWidth] = [shade, width];
      context.beginPath();
      context.arc(x, y, size, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // Names of clusters at their centres [name, x, y], the largest first; one that would cover another is left out.
  drawNames(centres) {
    const { context, canvas } = this, boxes = [];
    context.font = "600 12.5px system-ui, sans-serif";
    [context.textAlign, context.textBaseline, context.lineWidth] = ["center", "middle", 4];
    [context.strokeStyle, context.fillStyle] = [this.back, this.text];
    for (const [name, spot, y] of centres) {
      if (spot < 0 || y < 0 || spot > canvas.clientWidth || y > canvas.clientHeight) continue;
      const half = context.measureText(name).width / 2 + 4;
      const x = Math.max(half, Math.min(spot, canvas.clientWidth - half));
      if (boxes.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < NAME_HEIGHT)) continue;
      boxes.push({ x, y, half });
      context.strokeText(name, x, y);
      context.fillText(name, x, y);
    }
  }

  drawCross() {
    const { context, canvas } = this, [x, y] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    [context.strokeStyle, context.lineWidth] = [this.text, 1.5];
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 12 * dx, y + 12 * dy);
    }
    context.stroke();
  }
}
