// Points of the map, drawn by WebGL in one call; where a browser has none, as squares on a plain canvas.

const VERTEX = `
attribute vec2 place;
attribute float shade;
uniform vec2 scale, shift;
uniform mediump float size;
uniform vec3 colours[24];
varying vec3 colour;
void main() {
  gl_Position = vec4(place * scale + shift, 0.0, 1.0);
  gl_PointSize = size;
  colour = colours[int(shade)];
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 colour;
uniform float size, opacity;
void main() {
  float cover = clamp((0.5 - distance(gl_PointCoord, vec2(0.5))) * size, 0.0, 1.0) * opacity;
  gl_FragColor = vec4(colour * cover, cover);
}`;
export const MOST_COLOURS = 24;

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  return program;
}

export const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);

// Draws points; `places` are x and y of each in turn, 0 to 1, `shades` the place of its colour among `colours`.
export class MapPoints {
  constructor(canvas) {
    this.canvas = canvas;
    this.count = 0;
    const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: false });
    if (gl) {
      this.gl = gl;
      this.prepare();
      canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
      canvas.addEventListener("webglcontextrestored", () => {
        this.prepare();
        this.load(this.places, this.shades, this.colours);
        this.redraw?.();
      });
    } else this.plain = canvas.getContext("2d");
  }

  get kind() {
    return this.gl ? "webgl" : "canvas";
  }

  prepare() {
    const { gl } = this, program = compile(gl);
    this.uniforms = Object.fromEntries(["scale", "shift", "size", "opacity", "colours"].map((name) => [name, gl.getUniformLocation(program, name)]));
    this.attributes = ["place", "shade"].map((name) => gl.getAttribLocation(program, name));
    this.buffers = [gl.createBuffer(), gl.createBuffer()];
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  load(places, shades, colours) {
    Object.assign(this, { places, shades, colours, count: shades.length });
    if (!this.gl) return;
    const { gl } = this;
    [[places, 2], [Float32Array.from(shades), 1]].forEach(([data, width], at) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[at]);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(this.attributes[at]);
      gl.vertexAttribPointer(this.attributes[at], width, gl.FLOAT, false, 0, 0);
    });
    const all = new Float32Array(3 * MOST_COLOURS);
    colours.slice(0, MOST_COLOURS).forEach((colour, at) => all.set(rgb(colour), 3 * at));
    gl.uniform3fv(this.uniforms.colours, all);
  }

  // `view` { scale, x, y } is in pixels of the page, `size` of a point, likewise.
  draw(view, size, opacity) {
    const { canvas } = this, ratio = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    if (this.gl) this.drawByGraphics(view, size * ratio, opacity);
    else this.drawPlainly(view, size * ratio, opacity, ratio);
  }

  drawByGraphics({ scale, x, y }, size, opacity) {
    const { gl, canvas, uniforms } = this, { clientWidth, clientHeight } = canvas;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.count) return;
    gl.uniform2f(uniforms.scale, 2 * scale / clientWidth, -2 * scale / clientHeight);
    gl.uniform2f(uniforms.shift, 2 * x / clientWidth - 1, 1 - 2 * y / clientHeight);
    gl.uniform1f(uniforms.size, size + 1);
    gl.uniform1f(uniforms.opacity, opacity);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  drawPlainly({ scale, x, y }, size, opacity, ratio) {
    const { plain, canvas, places, shades, colours } = this;
    plain.clearRect(0, 0, canvas.width, canvas.height);
    plain.globalAlpha = opacity;
    for (let group = 0; group < (colours?.length ?? 0); group++) {
      plain.fillStyle = colours[group];
      for (let at = 0; at < this.count; at++) {
        if (shades[at] !== group) continue;
        plain.fillRect((places[2 * at] * scale + x) * ratio - size / 2, (places[2 * at + 1] * scale + y) * ratio - size / 2, size, size);
      }
    }
  }
}
