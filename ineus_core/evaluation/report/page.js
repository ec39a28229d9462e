// SPDX-FileCopyrightText: 2026 The ineus authors
// SPDX-License-Identifier: Apache-2.0
// The sliders between pictures, and a small viewer of the mesh in plain WebGL.
"use strict";

for (const slider of document.querySelectorAll(".pair input")) {
  slider.addEventListener("input", () => {
    slider.parentElement.style.setProperty("--cut", slider.value + "%");
  });
}

const VERTEX = `
attribute vec3 position; attribute vec3 normal; attribute vec3 colour;
uniform mat4 view; uniform vec3 size; varying vec3 n; varying vec3 c;
void main() { n = normal; c = colour; gl_Position = view * vec4(position * size, 1.0); }`;
const FRAGMENT = `
precision mediump float;
varying vec3 n; varying vec3 c; uniform int look; uniform vec3 lamp; uniform vec3 fill;
void main() {
  vec3 m = normalize(n);
  float light = 0.38 + 0.62 * pow(0.5 + 0.5 * dot(m, lamp), 1.5) + 0.22 * pow(0.5 + 0.5 * dot(m, fill), 1.5);
  vec3 shown = look == 1 ? 0.5 + 0.5 * m : (look == 2 ? vec3(0.84) : c) * light;
  gl_FragColor = vec4(shown, 1.0);
}`;

const sub = (a, b) => a.map((x, i) => x - b[i]);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => { const l = Math.hypot(...a) || 1; return a.map((x) => x / l); };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

class Model {
  constructor(box, data) {
    this.box = box;
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("aria-label", "The surface; drag or use the arrow keys to turn it");
    this.gl = this.canvas.getContext("webgl", { alpha: true, antialias: true });
    if (!this.gl) return;
    this.data = data;
    // Two directions across the one against gravity, to turn about.
    this.up = unit(data.up);
    this.east = unit(cross(Math.abs(this.up[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0], this.up));
    this.north = cross(this.up, this.east);
    this.home();
    this.look = 0;
    this.turns = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.prepare();
    this.listen();
    box.insertBefore(this.canvas, box.querySelector(".looks"));
    box.classList.add("live");
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    new IntersectionObserver(([entry]) => {
      this.isSeen = entry.isIntersecting;
      this.animate();
    }).observe(this.canvas);
  }

  home() {
    const away = sub(this.data.eye, this.data.centre);
    this.distance = this.fullDistance = Math.hypot(...away);
    const [e, n, u] = [this.east, this.north, this.up].map((axis) => dot(away, axis) / this.distance);
    this.turn = Math.atan2(n, e);
    this.height = Math.asin(u);
  }

  prepare() {
    const gl = this.gl, data = this.data;
    const program = gl.createProgram();
    for (const [kind, code] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, code);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.place = (name) => gl.getUniformLocation(program, name);
    const attribute = (name, text, type, bytesEach) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      // Attributes begin at multiples of four bytes: three of one byte each get a fourth.
      gl.bufferData(gl.ARRAY_BUFFER, bytesEach === 1 ? padded(bytes(text)) : bytes(text), gl.STATIC_DRAW);
      const index = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(index);
      gl.vertexAttribPointer(index, 3, type, true, bytesEach === 1 ? 4 : 6, 0);
    };
    attribute("position", data.positions, gl.UNSIGNED_SHORT, 2);
    attribute("normal", data.normals, gl.BYTE, 1);
    attribute("colour", data.colours, gl.UNSIGNED_BYTE, 1);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    const triangles = bytes(data.triangles);
    this.count = triangles.byteLength / 2;
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    gl.enable(gl.DEPTH_TEST);
    // Near walls and ceilings, seen from behind, do not hide a room.
    gl.enable(gl.CULL_FACE);
    gl.uniform3fv(this.place("size"), data.size);
    const across = (a, b, c) => unit([0, 1, 2].map((i) => a * this.east[i] + b * this.north[i] + c * this.up[i]));
    gl.uniform3fv(this.place("lamp"), across(0.35, -0.55, 0.75));
    gl.uniform3fv(this.place("fill"), across(-0.7, 0.35, 0.3));
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.turns = false;
      this.drag = [event.clientX, event.clientY];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drag) return;
      this.move((this.drag[0] - event.clientX) / 150, (event.clientY - this.drag[1]) / 150);
      this.drag = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.drag = null; });
    canvas.addEventListener("wheel", (event) => {
      // The page scrolls until somebody has turned to the model.
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      this.distance *= Math.exp(event.deltaY / 800);
      this.distance = Math.min(3 * this.fullDistance, Math.max(0.05 * this.fullDistance, this.distance));
      this.draw();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (!by) return;
      event.preventDefault();
      this.turns = false;
      this.move(...by);
    });
    canvas.addEventListener("dblclick", () => { this.home(); this.draw(); });
    const buttons = [...this.box.querySelectorAll(".looks button")];
    buttons.forEach((button, index) => button.addEventListener("click", () => {
      this.look = index;
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      this.draw();
    }));
  }

  move(turn, height) {
    this.turn += turn;
    this.height = Math.min(1.5, Math.max(-1.5, this.height + height));
    this.draw();
  }

  animate() {
    if (this.isAnimated || !this.isSeen || !this.turns) return;
    this.isAnimated = true;
    let before;
    const frame = (now) => {
      if (!this.isSeen || !this.turns) { this.isAnimated = false; return; }
      this.turn += before === undefined ? 0 : Math.min(0.1, (now - before) / 1000) * 0.25;
      before = now;
      this.draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  view(aspect) {
    const flat = Math.cos(this.height);
    const away = [0, 1, 2].map((i) => flat * Math.cos(this.turn) * this.east[i]
      + flat * Math.sin(this.turn) * this.north[i] + Math.sin(this.height) * this.up[i]);
    const eye = this.data.centre.map((x, i) => x + this.distance * away[i]);
    const right = unit(cross(this.up, away)), top = cross(away, right);
    const f = 1 / Math.tan(this.data.fov / 2), near = 0.01 * this.fullDistance, far = 10 * this.fullDistance;
    const rows = [right.map((x) => x * f / aspect), top.map((x) => x * f), away];
    const offset = rows.map((row) => -dot(row, eye));
    const a = (far + near) / (near - far), b = 2 * far * near / (near - far);
    const columns = [];
    for (let i = 0; i < 3; i++) columns.push(rows[0][i], rows[1][i], a * rows[2][i], -rows[2][i]);
    columns.push(offset[0], offset[1], a * offset[2] + b, -offset[2]);
    return columns;
  }

  draw() {
    const gl = this.gl, canvas = this.canvas, scale = Math.min(2, devicePixelRatio || 1);
    const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(this.place("view"), false, this.view(width / height));
    gl.uniform1i(this.place("look"), this.look);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_SHORT, 0);
    canvas.dataset.turn = this.turn.toFixed(3);
  }
}

function padded(buffer) {
  const from = new Uint8Array(buffer), to = new Uint8Array(from.length / 3 * 4);
  for (let i = 0, j = 0; i < from.length; i += 3, j += 4) to.set(from.subarray(i, i + 3), j);
  return to;
}

const held = document.getElementById("model-data");
if (held) new Model(document.getElementById("model"), JSON.parse(held.textContent));
