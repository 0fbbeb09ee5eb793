// Points of the map, drawn by WebGL in one call; where a browser has none, or does it in software, pixel by pixel.

import { PixelPoints } from "./map_pixels.js";

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
const MOST_COLOURS = 24, SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

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

const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);

// Whether the processor does what graphics are for. Browsers tell by the option, and some by the name alone.
function isSoftware() {
  const gl = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (!gl) return true;
  const information = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = gl.getParameter(information ? information.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();  // browsers have few contexts
  return SOFTWARE.test(renderer);
}

// What draws the points of a canvas.
export function pointsOf(canvas, redraw, isSlow = isSoftware()) {
  const gl = isSlow ? null : canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
  return gl ? new GraphicsPoints(canvas, gl, redraw) : new PixelPoints(canvas);
}

// Draws points; `places` are x and y of each in turn, 0 to 1, `shades` the place of its colour among `colours`.
class GraphicsPoints {
  constructor(canvas, gl, redraw) {
    Object.assign(this, { canvas, gl, count: 0, kind: "webgl" });
    this.prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.prepare();
      this.load(this.places, this.shades, this.colours);
      redraw();
    });
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
    const { gl, uniforms } = this, { clientWidth, clientHeight } = canvas, { scale, x, y } = view;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.count) return;
    gl.uniform2f(uniforms.scale, 2 * scale / clientWidth, -2 * scale / clientHeight);
    gl.uniform2f(uniforms.shift, 2 * x / clientWidth - 1, 1 - 2 * y / clientHeight);
    gl.uniform1f(uniforms.size, size * ratio + 1);
    gl.uniform1f(uniforms.opacity, opacity);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }
}
