"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const canvas = element("map");
  const context = canvas.getContext("2d");
  const { labels, columns, layouts, neighbors } = data;
  const count = labels.length;
  const lowered = labels.map((label) => label.toLowerCase());

  const ARRAYS = { Int8Array, Uint8Array, Uint16Array, Uint32Array, Float32Array, Float64Array };
  const SHADES = 64; // Colors of a ramp.
  const MOVE_MS = 1000;
  const GLIDE_MS = 300;
  const FADE_MS = 160;
  const PLACE_MS = 120; // Labels are placed anew no more often while the map moves.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 700px)");

  // ---- Data ----

  function unpack({ type, base64, first, count: length }) {
    if (first !== undefined) return Float64Array.from({ length }, (_, at) => first + at);
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new ARRAYS[type](bytes.buffer);
  }

  for (const column of columns) {
    column.values = unpack(column.numbers || column.codes);
  }
  for (const layout of layouts) {
    const positions = unpack(layout.positions);
    layout.holds = new Uint8Array(count);
    layout.places = new Float32Array(2 * count);
    // Width and height; not 0, for points on one line or one spot.
    [layout.wide, layout.high] = [0.02, 0.02];
    unpack(layout.rows).forEach((row, at) => {
      const [x, y] = [positions[2 * at] / 65535, positions[2 * at + 1] / 65535];
      layout.holds[row] = 1;
      [layout.places[2 * row], layout.places[2 * row + 1]] = [x, y];
      layout.wide = Math.max(layout.wide, 2 * Math.abs(x - 0.5));
      layout.high = Math.max(layout.high, 2 * Math.abs(y - 0.5));
    });
  }
  const nearestRows = unpack(neighbors.rows);
  const percents = unpack(neighbors.percent);
  const noNeighbors = new Set(neighbors.none);

  function neighborsOf(row) {
    if (noNeighbors.has(row)) return [];
    return Array.from({ length: neighbors.count }, (_, rank) => {
      const index = row * neighbors.count + rank;
      return { row: nearestRows[index], cosine: percents[index] / 100 };
    });
  }

  function cell(column, row) {
    const value = column.values[row];
    if (column.texts) return column.texts[value];
    return String(column.values instanceof Float32Array ? Number(value.toPrecision(6)) : value);
  }

  const text = (tag, content) => {
    const made = document.createElement(tag);
    made.textContent = content;
    return made;
  };

  // A word in a right-to-left script, or with an override, must not turn what stands beside it.
  const isolated = (tag, content) => {
    const made = document.createElement(tag);
    made.append(text("bdi", content));
    return made;
  };

  function shortened(label, most = 32) {
    if (label.length <= most) return label;
    return `${Array.from(label.slice(0, 2 * most)).slice(0, most - 1).join("")}…`;
  }

  // ---- State ----

  const view = { x: 0.5, y: 0.5, zoom: 1 };
  const current = new Float32Array(2 * count); // Where each point is now,
  const presence = new Float32Array(count); // and how much of it there is, 0 to 1.
  let layout = layouts[layouts.length - 1];
  let selected = null;
  let hovered = null;
  let matches = []; // Rows that the search found,
  let active = -1; // and the one among those listed that Enter opens.
  let lit = null; // Rows that are not dimmed; null for all.
  let width, height, free, center, fit, ratio;
  const motions = new Map(); // By name, what advances with time.

  function animate(name, milliseconds, step, done = () => {}) {
    if (still.matches) milliseconds = 0;
    motions.set(name, { start: performance.now(), milliseconds, step, done });
    redraw();
  }

  let requested = false;
  function redraw() {
    if (requested) return;
    requested = true;
    requestAnimationFrame((now) => {
      requested = false;
      for (const [name, { start, milliseconds, step, done }] of [...motions]) {
        const passed = milliseconds ? Math.min(1, Math.max(0, now - start) / milliseconds) : 1;
        step(passed < 0.5 ? 4 * passed ** 3 : 1 - (-2 * passed + 2) ** 3 / 2);
        if (passed === 1) {
          motions.delete(name);
          done();
        }
      }
      draw(now);
      if (motions.size) redraw();
    });
  }

  // ---- Colors ----

  let theme, ink, ground, accent;
  let palette = []; // CSS colors,
  const shade = new Uint8Array(count); // which of them a point has,
  const order = Uint32Array.from({ length: count }, (_, row) => row); // and which is drawn when.
  let coloring = columns.find((column) => column.first);

  const hex = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

  function ramp(stops, steps) {
    return Array.from({ length: steps }, (_, step) => {
      const at = (step / Math.max(1, steps - 1)) * (stops.length - 1);
      const low = Math.min(Math.floor(at), stops.length - 2);
      const [from, to] = [hex(stops[low]), hex(stops[low + 1])];
      return `rgb(${from.map((part, i) => Math.round(part + (to[i] - part) * (at - low)))})`;
    });
  }

  function recolor() {
    const style = getComputedStyle(document.documentElement);
    [ink, ground, accent] = ["--ink", "--ground", "--accent"].map((name) =>
      style.getPropertyValue(name),
    );
    theme = data.colors[dark.matches ? "dark" : "light"];
    element("legend").replaceChildren(text("b", coloring.name));
    const depth = new Float32Array(count);
    if (coloring.texts) colorTexts(depth);
    else colorNumbers(depth);
    order.sort((a, b) => depth[a] - depth[b] || b - a);
    sprites.clear();
    redraw();
  }

  function colorNumbers(depth) {
    const { values, limit } = coloring;
    let low = Infinity;
    let high = -Infinity;
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    // Counts of words spread over decades.
    const scale = low > 0 && high / low > 100 ? Math.log : (value) => value;
    if (limit) [low, high] = [-limit, limit];
    const [from, to] = [scale(low), scale(high)];
    palette = ramp(limit ? theme.diverging : theme.rising, SHADES);
    for (let row = 0; row < count; row++) {
      const share = to > from ? (scale(values[row]) - from) / (to - from) : 0.5;
      shade[row] = Math.round(Math.min(1, Math.max(0, share)) * (SHADES - 1));
      depth[row] = limit ? Math.abs(shade[row] - (SHADES - 1) / 2) : shade[row];
    }
    const bar = text("div", "");
    bar.className = "ramp";
    bar.style.background = `linear-gradient(to right, ${palette.join(",")})`;
    const ends = text("div", "");
    ends.className = "ends";
    const about = (value) => String(Number(value.toPrecision(3)));
    ends.append(text("span", about(low)), text("span", about(high)));
    element("legend").append(bar, ends);
  }

  function colorTexts(depth) {
    const { texts, values } = coloring;
    const counts = new Uint32Array(texts.length);
    for (const code of values) counts[code]++;
    const codes = texts.map((_, code) => code);
    // Texts that begin with different numbers, such as '1 neg +++', are steps of a ramp.
    const steps = new Set(texts.map((name) => (/^\d+(?= )/.exec(name) || [""])[0]));
    const stepped = texts.length > 1 && steps.size === texts.length && !steps.has("");
    const most = stepped ? texts.length : theme.categories.length;
    const largest = [...codes].sort((a, b) => counts[b] - counts[a] || a - b).slice(0, most);
    largest.sort((a, b) => a - b);
    const stops = texts.length % 2 && texts.length > 4 ? theme.diverging : theme.rising;
    palette = [
      ...(stepped ? ramp(stops, most) : theme.categories.slice(0, largest.length)),
      theme.others,
    ];
    const shadeOf = new Uint8Array(texts.length).fill(palette.length - 1);
    largest.forEach((code, place) => (shadeOf[code] = place));
    values.forEach((code, row) => {
      shade[row] = shadeOf[code];
      const distance = stepped ? Math.abs(shade[row] - (most - 1) / 2) : 1;
      depth[row] = shade[row] === palette.length - 1 ? 0 : distance;
    });
    const list = text("ul", "");
    const entry = (place, name, number) => {
      const item = isolated("li", name);
      const swatch = text("i", "");
      swatch.style.background = palette[place];
      item.prepend(swatch);
      item.append(number);
      list.append(item);
    };
    largest.forEach((code, place) => entry(place, texts[code], counts[code].toLocaleString("en")));
    const others = texts.length - largest.length;
    if (others) entry(palette.length - 1, `${others.toLocaleString("en")} others`, "");
    element("legend").append(list);
  }

  // ---- Drawing ----

  const screenX = (x) => center.x + (x - view.x) * fit * view.zoom;
  const screenY = (y) => center.y - (y - view.y) * fit * view.zoom;
  const isLaidOut = (row) => layout.holds[row] === 1;

  // Pixels a unit, so that a layout fills the room that the panels leave.
  function fitOf({ wide, high }) {
    const across = Math.max(50, width - free.left - free.right);
    const down = Math.max(50, height - free.top - free.bottom);
    return Math.min(across / wide, down / high);
  }

  function resize() {
    ratio = window.devicePixelRatio || 1;
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    free = narrow.matches
      ? { left: 24, top: 112, right: 24, bottom: 64 }
      : { left: 90, top: 72, right: 90, bottom: 32 };
    center = {
      x: (free.left + width - free.right) / 2,
      y: (free.top + height - free.bottom) / 2,
    };
    fit = fitOf(layout);
    sprites.clear();
    placedAt = -Infinity;
    redraw();
  }

  // A disc is drawn once for each color and size, then copied: faster than a path for each point.
  const sprites = new Map();
  function sprite(color, radius) {
    const key = `${color} ${radius}`;
    if (!sprites.has(key)) {
      const disc = document.createElement("canvas");
      disc.width = disc.height = Math.ceil(2 * (radius + 1) * ratio);
      const pen = disc.getContext("2d");
      pen.fillStyle = color;
      pen.arc(disc.width / 2, disc.width / 2, radius * ratio, 0, 7);
      pen.fill();
      sprites.set(key, disc);
    }
    return sprites.get(key);
  }

  function radius() {
    const sparse = fit * Math.sqrt((layout.wide * layout.high) / count) / 3.6;
    const exact = Math.min(9, Math.max(1.5, Math.min(sparse, 5)) * Math.min(3, view.zoom ** 0.4));
    return Math.round(exact * 4) / 4;
  }

  function draw(now) {
    if (now - placedAt > PLACE_MS) placeLabels(now);
    else later();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
    drawPoints();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawLines();
    drawMarks();
    if (drawLabels(now)) redraw();
    if (width && !performance.getEntriesByName("drawn").length) performance.mark("drawn");
  }

  function drawPoints() {
    const size = radius();
    const discs = palette.map((color) => sprite(color, size));
    const half = discs[0].width / 2;
    const scale = fit * view.zoom * ratio;
    const left = center.x * ratio - view.x * scale - half;
    const top = center.y * ratio + view.y * scale - half;
    const [right, bottom] = [canvas.width, canvas.height];
    for (const row of order) {
      const x = left + current[2 * row] * scale;
      const y = top - current[2 * row + 1] * scale;
      if (x < -2 * half || y < -2 * half || x > right || y > bottom || !presence[row]) continue;
      const alpha = presence[row] * (lit && !lit.has(row) ? 0.24 : 0.82);
      if (context.globalAlpha !== alpha) context.globalAlpha = alpha;
      context.drawImage(discs[shade[row]], x | 0, y | 0);
    }
    context.globalAlpha = 1;
  }

  function drawLines() {
    if (selected === null) return;
    context.strokeStyle = accent;
    context.lineWidth = 1.25;
    context.globalAlpha = 0.65 * presence[selected];
    context.beginPath();
    for (const { row } of neighborsOf(selected)) {
      if (!presence[row]) continue;
      context.moveTo(screenX(current[2 * selected]), screenY(current[2 * selected + 1]));
      context.lineTo(screenX(current[2 * row]), screenY(current[2 * row + 1]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function drawMarks() {
    const mark = (row, size, edge) => {
      if (!presence[row]) return;
      context.globalAlpha = presence[row];
      context.beginPath();
      context.arc(screenX(current[2 * row]), screenY(current[2 * row + 1]), size, 0, 7);
      context.fillStyle = palette[shade[row]];
      context.fill();
      context.lineWidth = edge;
      context.strokeStyle = ink;
      context.stroke();
      context.globalAlpha = 1;
    };
    const size = Math.max(4, radius() + 1);
    for (const { row } of placed) if (row !== undefined) mark(row, size - 0.5, 1);
    if (selected !== null) {
      for (const { row } of neighborsOf(selected)) mark(row, size, 1.5);
      mark(selected, size + 2.5, 2.5);
    } else if (lit && matches.length <= 300) {
      for (const row of matches) mark(row, size, 1.5);
    }
    if (active >= 0) mark(matches[active], size + 2, 2.5);
    if (hovered !== null) mark(hovered, size + 1.5, 2);
  }

  // ---- Labels ----

  const WORD = "12.5px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  const STRONG = `600 ${WORD.replace("12.5", "13")}`;
  const REGION = `600 ${WORD.replace("12.5", "14")}`;
  // Where a label may stand around its point: directions, nearer ones first.
  const AROUND = [8, 15].flatMap((gap) =>
    [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]].map(([x, y]) => ({
      x, y, gap: x && y ? gap * 0.75 : gap,
    })),
  );
  const MIDDLE = [0, -18, 18, -36, 36].map((shift) => ({ x: 0, y: 0, gap: 0, shift }));
  const widths = new Map();
  let placed = [];
  let placedAt = -Infinity;
  let timer = 0;

  function later() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      placedAt = -Infinity;
      redraw();
    }, PLACE_MS);
  }

  function measure(font, name) {
    const key = `${font} ${name}`;
    if (!widths.has(key)) {
      context.font = font;
      widths.set(key, context.measureText(name).width);
    }
    return widths.get(key);
  }

  function* candidates() {
    const word = (row, font) => ({
      key: row, row, font, name: shortened(labels[row]), spots: AROUND, high: 15,
      x: current[2 * row], y: current[2 * row + 1],
    });
    const region = ({ name, x, y }) => ({
      key: `${layout.name} ${name}`, font: REGION, name, spots: MIDDLE, high: 17, x, y,
    });
    if (selected !== null) {
      yield word(selected, STRONG);
      for (const { row } of neighborsOf(selected)) yield word(row, WORD);
      return;
    }
    if (active >= 0) yield word(matches[active], STRONG);
    if (lit) {
      for (const row of matches.slice(0, 60)) yield word(row, WORD);
      return;
    }
    for (const item of layout.regions) yield region(item);
    for (const row of data.probes) yield word(row, STRONG);
    for (const row of layout.order) yield word(row, WORD);
    for (let row = 0; row < count; row++) yield word(row, WORD);
  }

  // Writes labels in the order of their candidates, each at the first spot that is free.
  function placeLabels(now) {
    placedAt = now;
    const earlier = new Map(placed.map((label) => [label.key, label]));
    placed = [];
    if (motions.has("move") && !lit) return;
    const taken = [];
    for (const id of ["find", "controls", "point", "legend", "about", "zoom"]) {
      const box = element(id).getBoundingClientRect();
      if (box.width) taken.push([box.left - 4, box.top - 4, box.right + 4, box.bottom + 4]);
    }
    const isFree = ([left, top, right, bottom]) =>
      left >= 2 && top >= 2 && right <= width - 2 && bottom <= height - 2 &&
      taken.every(([l, t, r, b]) => right < l || left > r || bottom < t || top > b);
    const most = Math.max(14, Math.round((width * height) / 15000));
    const seen = new Set();
    let tries = 0;
    for (const label of candidates()) {
      if (placed.length >= most || tries > 500) break;
      if (seen.has(label.key) || !label.name.trim()) continue;
      seen.add(label.key);
      if (label.row !== undefined && presence[label.row] < 0.5) continue;
      const [x, y] = [screenX(label.x), screenY(label.y)];
      if (x < 0 || y < 0 || x > width || y > height) continue;
      tries++;
      const dot = label.row === undefined ? null : [x - 5, y - 5, x + 5, y + 5];
      if (dot && !lit && !isFree(dot)) continue;
      const wide = measure(label.font, label.name);
      const before = earlier.get(label.key);
      const spots = before ? [before.spot, ...label.spots] : label.spots;
      for (const spot of spots) {
        const dx = spot.x * spot.gap - (wide * (1 - spot.x)) / 2;
        const dy = spot.y * spot.gap - (label.high * (1 - spot.y)) / 2 + (spot.shift || 0);
        const box = [x + dx - 2, y + dy - 1, x + dx + wide + 2, y + dy + label.high + 1];
        if (!isFree(box)) continue;
        taken.push(box);
        if (dot) taken.push(dot);
        placed.push({ ...label, spot, dx, dy, born: before ? before.born : now });
        break;
      }
    }
  }

  function drawLabels(now) {
    let fading = false;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3.5;
    context.strokeStyle = ground;
    context.fillStyle = ink;
    for (const { row, font, name, x, y, dx, dy, high, born } of placed) {
      const age = still.matches ? 1 : Math.min(1, (now - born) / FADE_MS);
      fading ||= age < 1;
      context.globalAlpha = age;
      context.font = font;
      const left = screenX(row === undefined ? x : current[2 * row]) + dx;
      const top = screenY(row === undefined ? y : current[2 * row + 1]) + dy + high / 2;
      context.strokeText(name, left, top);
      context.fillText(name, left, top);
    }
    context.globalAlpha = 1;
    return fading;
  }

  // ---- Layouts and views ----

  function show(next, milliseconds = MOVE_MS) {
    layout = next;
    const [before, presentBefore, fitBefore] = [current.slice(), presence.slice(), fit];
    animate("move", milliseconds, (share) => {
      fit = fitBefore + (fitOf(next) - fitBefore) * share; // The window may change meanwhile.
      for (let row = 0; row < count; row++) {
        const present = layout.holds[row];
        presence[row] = presentBefore[row] + (present - presentBefore[row]) * share;
        if (!present) continue;
        for (const at of [2 * row, 2 * row + 1]) {
          const from = presentBefore[row] ? before[at] : layout.places[at];
          current[at] = from + (layout.places[at] - from) * share;
        }
      }
    }, () => (placedAt = -Infinity));
    placedAt = -Infinity;
    if (selected === null) return showAll(milliseconds);
    describe(selected);
    frame(selected, milliseconds);
  }

  let aim = null; // The view in which a glide ends; the next key goes on from there.

  function glide({ x, y, zoom }, milliseconds = GLIDE_MS) {
    const from = { ...view };
    aim = { x, y, zoom };
    animate("glide", milliseconds, (share) => {
      view.zoom = from.zoom * (zoom / from.zoom) ** share;
      view.x = from.x + (x - from.x) * share;
      view.y = from.y + (y - from.y) * share;
    }, stopGlide);
  }

  function stopGlide() {
    motions.delete("glide");
    aim = null;
  }

  const clampZoom = (zoom) => Math.min(80, Math.max(0.5, zoom));

  // The point under the pointer stays there.
  function zoomAt(x, y, factor) {
    stopGlide();
    const zoom = clampZoom(view.zoom * factor);
    const shift = (1 / view.zoom - 1 / zoom) / fit;
    view.x += (x - center.x) * shift;
    view.y -= (y - center.y) * shift;
    view.zoom = zoom;
    redraw();
  }

  function panBy(x, y) {
    stopGlide();
    view.x -= x / fit / view.zoom;
    view.y += y / fit / view.zoom;
    redraw();
  }

  function zoomIn(factor) {
    const from = aim ?? view;
    glide({ ...from, zoom: clampZoom(from.zoom * factor) });
  }

  const showAll = (milliseconds) => glide({ x: 0.5, y: 0.5, zoom: 1 }, milliseconds);

  // Moves the selected point and its neighbors into the room that the panels leave.
  function frame(row, milliseconds) {
    if (!isLaidOut(row)) return;
    const whole = fitOf(layout);
    const rows = [row, ...neighborsOf(row).map((near) => near.row)].filter(isLaidOut);
    const xs = rows.map((other) => layout.places[2 * other]);
    const ys = rows.map((other) => layout.places[2 * other + 1]);
    const [left, right, low, high] = [
      Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys),
    ];
    const panel = element("point").getBoundingClientRect();
    const across = narrow.matches ? width - 80 : panel.left - 340;
    const down = (narrow.matches ? panel.top : height) - 200;
    const zoom = Math.min(
      across / Math.max(right - left, 1e-4) / whole,
      down / Math.max(high - low, 1e-4) / whole,
      6,
    );
    const scale = whole * clampZoom(Math.max(1, zoom));
    const to = narrow.matches
      ? { x: width / 2, y: (110 + panel.top) / 2 }
      : { x: (300 + panel.left) / 2, y: height / 2 };
    glide({
      x: (left + right) / 2 - (to.x - center.x) / scale,
      y: (low + high) / 2 + (to.y - center.y) / scale,
      zoom: scale / whole,
    }, milliseconds);
  }

  // ---- The selected point ----

  function table(row, list) {
    list.replaceChildren();
    for (const column of columns) {
      if (!column.extra) list.append(isolated("dt", column.name), isolated("dd", cell(column, row)));
    }
  }

  function describe(row) {
    element("label").replaceChildren(text("bdi", labels[row]));
    table(row, element("values"));
    const near = neighborsOf(row);
    element("neighbors").replaceChildren(
      ...near.map(({ row: other, cosine }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.row = other;
        const bar = text("i", "");
        bar.style.width = `${Math.max(0, cosine) * 100}%`;
        button.append(text("bdi", labels[other]), bar, text("span", cosine.toFixed(2)));
        button.addEventListener("click", () => select(other));
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
    const remarks = [
      ...(near.length ? [] : ["Its vector is zero: nothing is near it."]),
      ...(isLaidOut(row) ? [] : [`${layout.name} does not place it.`]),
    ];
    element("remark").textContent = remarks.join(" ");
    element("remark").hidden = !remarks.length;
  }

  function select(row, isFramed = true) {
    selected = row;
    element("point").hidden = row === null;
    if (row !== null) {
      describe(row);
      element("point").scrollTop = 0;
      hideMatches();
      if (isFramed) frame(row);
    }
    relight();
  }

  function relight() {
    if (selected !== null) {
      lit = new Set([selected, ...neighborsOf(selected).map(({ row }) => row)]);
    } else {
      lit = element("query").value.trim() ? new Set(matches) : null;
    }
    placedAt = -Infinity;
    redraw();
  }

  // ---- Search ----

  const LISTED = 50;
  const query = element("query");

  function find(wanted) {
    const ranked = [[], [], []]; // The word itself, words that begin so, and words that hold it.
    for (let row = 0; row < count; row++) {
      const at = lowered[row].indexOf(wanted);
      if (at < 0) continue;
      ranked[at ? 2 : lowered[row].length === wanted.length ? 0 : 1].push(row);
    }
    return ranked.flat();
  }

  function search() {
    const wanted = query.value.trim().toLowerCase();
    matches = wanted ? find(wanted) : [];
    active = -1;
    selected = null;
    element("point").hidden = true;
    element("count").hidden = !wanted;
    const found = matches.length.toLocaleString("en");
    element("count").textContent = `${found} ${matches.length === 1 ? "match" : "matches"}`;
    element("matches").replaceChildren(
      ...matches.slice(0, LISTED).map((row, place) => {
        const item = isolated("li", shortened(labels[row], 200));
        item.id = `match-${place}`;
        item.dataset.row = row;
        item.setAttribute("role", "option");
        return item;
      }),
    );
    element("matches").hidden = !matches.length;
    query.setAttribute("aria-expanded", String(matches.length > 0));
    activate(-1);
    relight();
  }

  function activate(place) {
    active = place;
    [...element("matches").children].forEach((item, at) => {
      item.setAttribute("aria-selected", String(at === place));
      if (at === place) item.scrollIntoView({ block: "nearest" });
    });
    if (place < 0) query.removeAttribute("aria-activedescendant");
    else query.setAttribute("aria-activedescendant", `match-${place}`);
    placedAt = -Infinity;
    redraw();
  }

  function hideMatches() {
    element("matches").hidden = true;
    element("count").hidden = true;
    query.setAttribute("aria-expanded", "false");
    active = -1;
  }

  query.placeholder = `Search ${count.toLocaleString("en")} ${data.noun}`;
  query.addEventListener("input", search);
  query.addEventListener("focus", () => {
    if (query.value.trim() && selected === null) search();
  });
  query.addEventListener("keydown", (event) => {
    const listed = Math.min(matches.length, LISTED);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && listed) {
      element("matches").hidden = false;
      activate((active + step + listed) % listed);
      event.preventDefault();
    } else if (event.key === "Enter" && listed) {
      select(matches[Math.max(0, active)]);
    }
  });
  element("matches").addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) select(Number(item.dataset.row));
  });

  // ---- Pointer ----

  const pointers = new Map();
  let travelled = 0;

  function pointAt(x, y, reach) {
    let best = null;
    let nearest = reach * reach;
    for (let row = 0; row < count; row++) {
      if (presence[row] < 0.5) continue;
      const [dx, dy] = [screenX(current[2 * row]) - x, screenY(current[2 * row + 1]) - y];
      // What is lit lies on top.
      const distance = (dx * dx + dy * dy) * (lit && !lit.has(row) ? 4 : 1);
      if (distance < nearest) [best, nearest] = [row, distance];
    }
    return best;
  }

  function hover(row, x = 0, y = 0) {
    const tip = element("tip");
    if (row !== hovered) {
      hovered = row;
      canvas.classList.toggle("on-point", row !== null);
      tip.hidden = row === null;
      if (row !== null) {
        const list = document.createElement("dl");
        table(row, list);
        tip.replaceChildren(isolated("b", shortened(labels[row], 200)), list);
      }
      redraw();
    }
    if (row === null) return;
    const { offsetWidth: wide, offsetHeight: high } = tip;
    tip.style.left = `${Math.max(4, x + 16 + wide > width ? x - 16 - wide : x + 16)}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 12, height - high - 4))}px`;
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 1) travelled = 0;
    element("about").open = false;
  });

  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = [event.clientX, event.clientY];
    const before = pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hover(pointAt(x, y, 12), x, y);
      return;
    }
    travelled += Math.abs(x - before.x) + Math.abs(y - before.y);
    if (travelled > 5) {
      hover(null);
      canvas.classList.add("dragged");
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const spread = (from) => Math.hypot(from.x - other.x, from.y - other.y) || 1;
        panBy((x - before.x) / 2, (y - before.y) / 2);
        zoomAt((x + other.x) / 2, (y + other.y) / 2, spread({ x, y }) / spread(before));
      } else {
        panBy(x - before.x, y - before.y);
      }
    }
    pointers.set(event.pointerId, { x, y });
  });

  function release(event) {
    const isClick = event.type === "pointerup" && pointers.size === 1 && travelled <= 5;
    pointers.delete(event.pointerId);
    canvas.classList.remove("dragged");
    if (isClick) {
      const reach = event.pointerType === "touch" ? 24 : 12;
      select(pointAt(event.clientX, event.clientY, reach), false);
    }
  }
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    // A pinch on a touchpad comes as a wheel with the control key, in smaller steps.
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    zoomAt(event.clientX, event.clientY, Math.exp(-event.deltaY * lines * speed));
    hover(null);
  }, { passive: false });

  // ---- Keyboard and controls ----

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const from = aim ?? view;
    const move = 80 / fit / from.zoom;
    const does = {
      ArrowLeft: () => glide({ ...from, x: from.x - move }),
      ArrowRight: () => glide({ ...from, x: from.x + move }),
      ArrowUp: () => glide({ ...from, y: from.y + move }),
      ArrowDown: () => glide({ ...from, y: from.y - move }),
      "+": () => zoomIn(1.5),
      "=": () => zoomIn(1.5),
      "-": () => zoomIn(1 / 1.5),
      0: () => showAll(),
    }[event.key];
    if (!does) return;
    does();
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (selected !== null) return select(null);
      query.value = "";
      search();
    } else if (event.key === "/" && document.activeElement !== query) {
      query.focus();
      query.select();
      event.preventDefault();
    }
  });

  element("in").addEventListener("click", () => zoomIn(1.6));
  element("out").addEventListener("click", () => zoomIn(1 / 1.6));
  element("all").addEventListener("click", () => showAll());
  element("close").addEventListener("click", () => {
    select(null);
    canvas.focus();
  });

  layouts.forEach((item) => {
    const choice = document.createElement("input");
    Object.assign(choice, { type: "radio", name: "layout", checked: item === layout });
    choice.addEventListener("change", () => show(item));
    const label = text("label", "");
    label.append(choice, item.name);
    element("layouts").append(label);
  });
  element("layouts").hidden = layouts.length < 2;

  const MOST_TEXTS = 50;
  columns.forEach((column, number) => {
    if (column.texts && column.texts.length > MOST_TEXTS && !column.first) return;
    element("color").add(new Option(column.name, number, false, column === coloring));
  });
  element("color").addEventListener("change", () => {
    coloring = columns[Number(element("color").value)];
    recolor();
  });

  // ---- Start ----

  dark.addEventListener("change", recolor);
  // A frame may have no size yet, and then gets it without an event `resize`.
  new ResizeObserver(resize).observe(canvas);
  resize();
  show(layout, 0);
  recolor();
})();
