"""Markup, style and script of the bird's-eye player; the frames come from ``html_data``."""

MARKUP = """
<div class="controls">
 <label>sequence <select id="scene"></select></label>
 <label>result <select id="result"></select></label>
 <button id="play" type="button">play</button>
 <input id="slider" type="range" min="0" value="0" aria-label="frame">
 <output id="clock"></output>
</div>
<div class="controls">
 <label><input id="show-truth" type="checkbox" checked> ground truth</label>
 <label><input id="show-ids" type="checkbox" checked> identities</label>
 <label><input id="show-trails" type="checkbox" checked> trails of the last second</label>
 <label><input id="show-links" type="checkbox" checked> associations</label>
 <button id="home" type="button">reset view</button>
</div>
<div id="stage"><canvas id="view"></canvas><div id="tip" hidden></div></div>
<p class="hint">Forward is up, left is left; rings every 10 m around the ego vehicle. Wheel: zoom. Drag: move.
Space: play. Arrows: one frame. Filled boxes are tracks, coloured by identity, the line inside points forward; a white
outline: fused from both sides; an orange outline: known from the roadside unit only; white dashes: ground truth. Orange
lines lead from a track to the place of the roadside instance that was fused into it; the number is the affinity.</p>
"""

STYLE = """
#stage { position: relative; height: 70vh; min-height: 420px; background: #1c1e22; border-radius: 6px;
 overflow: hidden; }
#view { width: 100%; height: 100%; display: block; cursor: grab; touch-action: none; }
#tip { position: absolute; background: #fffd; color: #111; padding: 3px 7px; border-radius: 4px; font-size: 13px;
 pointer-events: none; white-space: pre; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 16px; align-items: center; margin: 6px 0; }
#slider { flex: 1; min-width: 180px; }
#clock { min-width: 11em; font-variant-numeric: tabular-nums; }
"""

SCRIPT = """
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const ui = id => document.getElementById(id);
  const canvas = ui('view'), tip = ui('tip'), slider = ui('slider');
  const pen = canvas.getContext('2d');
  const UNIT = '#ffc850', EGO_SIZE = [460, 190], TRAIL_MS = 1000;
  const SOURCES = ['ego', 'roadside unit', 'both'];
  let frame = 0, scale = 0, pan = [0, 0], timer = null, grip = null;

  const scene = () => data.scenes[+ui('scene').value];
  const result = () => scene().results[+ui('result').value];
  const size = () => [canvas.clientWidth, canvas.clientHeight];
  // The whole range of 50 m to every side fits.
  const fitted = () => Math.min(...size()) / 11000;

  // World centimetres to pixels: forward of the ego vehicle is up, left is left.
  function toScreen(x, y) {
    const [ex, ey, yaw] = scene().ego[frame];
    const c = Math.cos(yaw / 1000), s = Math.sin(yaw / 1000), dx = x - ex, dy = y - ey;
    const forward = c * dx + s * dy, left = c * dy - s * dx, [w, h] = size();
    return [w / 2 + pan[0] - left * scale, h / 2 + pan[1] - forward * scale];
  }

  // Front left, front right, rear right, rear left of a box, in pixels; `margin` (px) makes it larger.
  function corners(x, y, yaw, length, width, margin = 0) {
    const a = length / 2 + margin / scale, b = width / 2 + margin / scale;
    const c = Math.cos(yaw / 1000), s = Math.sin(yaw / 1000);
    return [[a, b], [a, -b], [-a, -b], [-a, b]].map(([u, v]) => toScreen(x + c * u - s * v, y + s * u + c * v));
  }

  function path(points, closed) {
    pen.beginPath();
    points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
    if (closed) pen.closePath();
  }

  function stroke(points, colour, width, closed) {
    path(points, closed);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
  }

  function write(words, x, y, colour) {
    pen.font = '12px sans-serif';
    pen.lineWidth = 3;
    pen.strokeStyle = '#14161a';
    pen.strokeText(words, x, y);
    pen.fillStyle = colour;
    pen.fillText(words, x, y);
  }

  function drawRings() {
    const [x, y] = toScreen(...scene().ego[frame]);
    for (let m = 10; m <= 60; m += 10) {
      pen.lineWidth = 1;
      pen.strokeStyle = '#50545c';
      pen.beginPath();
      pen.arc(x, y, m * 100 * scale, 0, 2 * Math.PI);
      pen.stroke();
      write(m + ' m', x + 4, y - m * 100 * scale + 14, '#9aa0aa');
    }
  }

  function drawEgo() {
    const [x, y, yaw] = scene().ego[frame], [length, width] = EGO_SIZE;
    const [fl, fr, rr, rl] = corners(x, y, yaw, length, width);
    path([[(fl[0] + fr[0]) / 2, (fl[1] + fr[1]) / 2], rr, rl], true);
    pen.fillStyle = '#fff';
    pen.fill();
  }

  function drawTrails() {
    const {times} = scene(), {ids, frames} = result(), now = new Set(frames[frame].map(t => t[0])), past = new Map();
    for (let k = frame; k >= 0 && times[frame] - times[k] <= TRAIL_MS; k--) {
      for (const t of frames[k]) {
        if (!now.has(t[0])) continue;
        if (!past.has(t[0])) past.set(t[0], []);
        past.get(t[0]).push(toScreen(t[2], t[3]));
      }
    }
    for (const [id, points] of past) stroke(points, data.palette[ids[id][1]], 1.5, false);
  }

  function drawTrack([id, , x, y, yaw, length, width, , , source], name) {
    const box = corners(x, y, yaw, length, width), colour = data.palette[name[1]];
    path(box, true);
    pen.globalAlpha = 0.5;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
    stroke(box, colour, 2, true);
    const frameStyle = {1: [UNIT, 2], 2: ['#fff', 1]}[source];
    if (frameStyle) stroke(corners(x, y, yaw, length, width, 3), ...frameStyle, true);
    const nose = [(box[0][0] + box[1][0]) / 2, (box[0][1] + box[1][1]) / 2];
    stroke([toScreen(x, y), nose], '#fff', 1.5, false);
    const right = Math.max(...box.map(p => p[0])), top = Math.min(...box.map(p => p[1]));
    if (ui('show-ids').checked) write(name[0], right + 5, top + 4, '#fff');
  }

  function drawTruth() {
    pen.setLineDash([4, 4]);
    for (const [kind, x, y, yaw] of scene().truth.frames[frame]) {
      const [, , length, width] = scene().truth.kinds[kind];
      const box = corners(x, y, yaw, length, width);
      stroke(box, '#ebebeb', 1, true);
      stroke([toScreen(x, y), [(box[0][0] + box[1][0]) / 2, (box[0][1] + box[1][1]) / 2]], '#ebebeb', 1, false);
    }
    pen.setLineDash([]);
  }

  function drawLinks() {
    const places = new Map(result().frames[frame].map(t => [t[0], t]));
    for (const [id, x, y, affinity] of result().links[frame]) {
      const track = places.get(id), end = toScreen(x, y);
      if (track) stroke([toScreen(track[2], track[3]), end], UNIT, 1.5, false);
      pen.beginPath();
      pen.arc(end[0], end[1], 3, 0, 2 * Math.PI);
      pen.fillStyle = UNIT;
      pen.fill();
      write((affinity / 100).toFixed(2), end[0] + 6, end[1] + 12, UNIT);
    }
  }

  function draw() {
    const [w, h] = size(), ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
    scale = scale || fitted();
    const {times} = scene(), {ids, frames} = result();
    if (!times.length) return;
    drawRings();
    if (ui('show-trails').checked) drawTrails();
    for (const track of frames[frame]) drawTrack(track, ids[track[0]]);
    if (ui('show-truth').checked) drawTruth();
    if (ui('show-links').checked) drawLinks();
    drawEgo();
    slider.value = frame;
    ui('clock').textContent = `frame ${frame + 1} of ${times.length}, ${(times[frame] / 1000).toFixed(1)} s`;
  }

  function go(to) {
    frame = Math.max(0, Math.min(scene().times.length - 1, to));
    tip.hidden = true;
    draw();
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    ui('play').textContent = 'play';
  }

  function tick() {
    const {times} = scene();
    if (frame + 1 >= times.length) { stop(); return; }
    go(frame + 1);
    timer = setTimeout(tick, frame + 1 < times.length ? Math.min(times[frame + 1] - times[frame], 1000) : 100);
  }

  function toggle() {
    if (timer !== null) { stop(); return; }
    if (frame + 1 >= scene().times.length) go(0);
    ui('play').textContent = 'pause';
    timer = setTimeout(tick, 0);
  }

  function isInside(px, py, box) {
    let sign = 0;
    for (let i = 0; i < 4; i++) {
      const [ax, ay] = box[i], [bx, by] = box[(i + 1) % 4];
      const side = Math.sign((bx - ax) * (py - ay) - (by - ay) * (px - ax));
      if (side && sign && side !== sign) return false;
      sign = sign || side;
    }
    return true;
  }

  // What lies under the pointer, in words; empty for nothing. Small boxes get a margin.
  function describe(px, py) {
    const {times} = scene(), {ids, frames} = result(), lines = [];
    if (!times.length) return '';
    for (const [id, label, x, y, yaw, length, width, score, speed, source] of frames[frame]) {
      if (!isInside(px, py, corners(x, y, yaw, length, width, 4))) continue;
      const velocity = speed < 0 ? 'speed unknown' : `${(speed / 100).toFixed(1)} m/s`;
      lines.push(`track ${ids[id][0]}: ${data.classes[label]}, score ${(score / 100).toFixed(2)}, ${velocity}` +
                 (source < 0 ? '' : `, from ${SOURCES[source]}`));
    }
    for (const [kind, x, y, yaw] of ui('show-truth').checked ? scene().truth.frames[frame] : []) {
      const [id, label, length, width] = scene().truth.kinds[kind];
      if (isInside(px, py, corners(x, y, yaw, length, width, 4))) {
        lines.push(`ground truth ${id}: ${data.classes[label]}`);
      }
    }
    return lines.join('\\n');
  }

  function choices(select, names) {
    names.forEach((name, i) => {
      const option = document.createElement('option');
      option.value = i;
      option.textContent = name;
      select.appendChild(option);
    });
    select.value = '0';
  }

  function openScene() {
    stop();
    slider.max = Math.max(scene().times.length - 1, 0);
    go(0);
  }

  function home() {
    scale = fitted();
    pan = [0, 0];
    draw();
  }

  choices(ui('scene'), data.scenes.map(s => s.name));
  choices(ui('result'), data.results);
  ui('scene').addEventListener('change', openScene);
  for (const id of ['result', 'show-truth', 'show-ids', 'show-trails', 'show-links']) {
    ui(id).addEventListener('change', draw);
  }
  ui('play').addEventListener('click', toggle);
  ui('home').addEventListener('click', home);
  slider.addEventListener('input', () => { stop(); go(+slider.value); });
  document.addEventListener('keydown', event => {
    if (['INPUT', 'SELECT', 'BUTTON'].includes(event.target.tagName)) return;
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (event.key !== ' ' && !step) return;
    event.preventDefault();
    if (step) { stop(); go(frame + step); } else toggle();
  });
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const [w, h] = size(), factor = Math.exp(-event.deltaY / 500), old = scale;
    scale = Math.max(fitted() / 4, Math.min(fitted() * 40, scale * factor));
    // The place under the pointer stays where it is.
    const k = scale / old, from = [event.offsetX - w / 2, event.offsetY - h / 2];
    pan = pan.map((v, i) => from[i] - (from[i] - v) * k);
    draw();
  }, {passive: false});
  canvas.addEventListener('pointerdown', event => {
    grip = [event.offsetX - pan[0], event.offsetY - pan[1]];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointerup', () => { grip = null; });
  canvas.addEventListener('pointercancel', () => { grip = null; });
  canvas.addEventListener('pointermove', event => {
    if (grip) {
      pan = [event.offsetX - grip[0], event.offsetY - grip[1]];
      draw();
    }
    const words = grip ? '' : describe(event.offsetX, event.offsetY);
    tip.hidden = !words;
    tip.textContent = words;
    tip.style.left = `${event.offsetX + 14}px`;
    tip.style.top = `${event.offsetY + 14}px`;
  });
  canvas.addEventListener('pointerleave', () => { tip.hidden = true; });
  window.addEventListener('resize', draw);
  openScene();
})();
"""
