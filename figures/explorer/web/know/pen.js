/** A pen that writes SVG: it takes what the picture calls of a canvas and keeps it as elements. */

const MOST_RUNS = 3000; // of one image: beyond them it is put in as a picture

/** A canvas' pen whose strokes become SVG; `svg(width, height)` is all of them as text. */
function makeSvgPen(measuring, family) {
  const parts = [], clips = [];
  let now = { fillStyle: '#000', strokeStyle: '#000', lineWidth: 1, globalAlpha: 1, font: '12px sans-serif',
    textAlign: 'left', textBaseline: 'alphabetic', dash: [], clip: null, x: 0, y: 0 };
  const kept = [];
  let path = [], opened = null;

  const at = (x, y) => `${cut(x + now.x)} ${cut(y + now.y)}`;
  const emit = (text) => {
    if (now.clip !== opened) {
      if (opened) parts.push('</g>');
      if (now.clip) parts.push(`<g clip-path="url(#c${clips.indexOf(now.clip)})">`);
      opened = now.clip;
    }
    parts.push(text);
  };
  const paintOf = (name, style) => {
    const [colour, alpha] = plainColour(measuring, style), seenAlpha = alpha * now.globalAlpha;
    return `${name}="${colour}"${seenAlpha < 1 ? ` ${name}-opacity="${cut(seenAlpha)}"` : ''}`;
  };
  const inSight = (x, y, width, height) => !now.clip || (x + now.x < now.clip.x + now.clip.width
    && x + now.x + width > now.clip.x && y + now.y < now.clip.y + now.clip.height && y + now.y + height > now.clip.y);
  const rect = (x, y, width, height, paint) =>
    emit(`<rect x="${cut(x + now.x)}" y="${cut(y + now.y)}" width="${cut(width)}" height="${cut(height)}" ${paint}/>`);
  const line = () => `${paintOf('stroke', now.strokeStyle)} stroke-width="${cut(now.lineWidth)}"${
    now.dash.length ? ` stroke-dasharray="${now.dash.join(' ')}"` : ''} fill="none"`;

  const pen = {
    setTransform(a, b, c, d, x, y) { Object.assign(now, { x: x / a, y: y / d }); },
    save() { kept.push({ ...now }); },
    restore() { now = kept.pop() ?? now; },
    clearRect() {},
    setLineDash(dash) { now.dash = dash; },
    measureText(text) {
      measuring.font = now.font;
      return measuring.measureText(text);
    },
    beginPath() { path = []; },
    moveTo(x, y) { path.push(`M${at(x, y)}`); },
    lineTo(x, y) { path.push(`L${at(x, y)}`); },
    closePath() { path.push('Z'); },
    rect(x, y, width, height) {
      path.push(`M${at(x, y)}h${cut(width)}v${cut(height)}h${cut(-width)}Z`);
      path.box = { x: x + now.x, y: y + now.y, width, height };
    },
    arc(x, y, r, from, to) {
      const turn = Math.abs(to - from) >= 2 * Math.PI - 1e-9;
      const [a, b] = [from, turn ? from + Math.PI : to].map((angle) => at(x + r * Math.cos(angle), y + r * Math.sin(angle)));
      const large = Math.abs(to - from) > Math.PI ? 1 : 0;
      path.push(turn ? `M${a}A${cut(r)} ${cut(r)} 0 1 1 ${b}A${cut(r)} ${cut(r)} 0 1 1 ${a}Z`
        : `${path.length ? 'L' : 'M'}${a}A${cut(r)} ${cut(r)} 0 ${large} 1 ${b}`);
    },
    clip() {
      now.clip = common(now.clip, path.box);
      clips.push(now.clip);
    },
    stroke() { if (path.length) emit(`<path d="${path.join('')}" ${line()}/>`); },
    fill() { if (path.length) emit(`<path d="${path.join('')}" ${paintOf('fill', now.fillStyle)}/>`); },
    fillRect(x, y, width, height) {
      if (width && height && inSight(x, y, width, height)) rect(x, y, width, height, paintOf('fill', now.fillStyle));
    },
    strokeRect(x, y, width, height) { if (inSight(x, y, width, height)) rect(x, y, width, height, line()); },
    fillText(text, x, y) { if (String(text)) emit(textElement(String(text), x, y)); },
    drawImage(canvas, x, y, width = canvas.width, height = canvas.height) {
      for (const each of imageElements(canvas, x + now.x, y + now.y, width, height, now.globalAlpha)) emit(each);
    },
    svg(width, height) {
      const defs = [...new Set(clips)].map((each) => `<clipPath id="c${clips.indexOf(each)}"><rect x="${cut(each.x)}" y="${
        cut(each.y)}" width="${cut(each.width)}" height="${cut(each.height)}"/></clipPath>`).join('');
      return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${
        escaped(family)}">\n<defs>${defs}</defs>\n${parts.join('\n')}${opened ? '\n</g>' : ''}\n</svg>\n`;
    }};

  function textElement(text, x, y) {
    const [, weight, size] = /^(\d{3} )?([\d.]+)px/.exec(now.font) ?? [null, '', '12'];
    const anchor = { center: 'middle', right: 'end', end: 'end' }[now.textAlign];
    const down = { middle: 0.35, top: 0.8, hanging: 0.8 }[now.textBaseline] ?? 0;
    return `<text x="${cut(x + now.x)}" y="${cut(y + now.y + down * size)}" font-size="${cut(Number(size))}"${
      weight ? ` font-weight="${weight.trim()}"` : ''}${anchor ? ` text-anchor="${anchor}"` : ''} ${paintOf('fill', now.fillStyle)}>${escaped(text)}</text>`;
  }
  return styled(pen, () => now);
}

/** A pen whose styles (`fillStyle`, `font` …) are those of its present state. */
function styled(pen, now) {
  return new Proxy(pen, {
    get: (target, key) => (key in target ? target[key] : now()[key]),
    set(target, key, value) {
      now()[key] = value;
      return true;
    }});
}

const cut = (value) => Number(value.toFixed(2));
const escaped = (text) => text.replace(/[&<>"]/g, (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[each])
  .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');

/** What two boxes have in common. */
function common(one, other) {
  if (!one) return { ...other };
  const x = Math.max(one.x, other.x), y = Math.max(one.y, other.y);
  return { x, y, width: Math.max(0, Math.min(one.x + one.width, other.x + other.width) - x),
    height: Math.max(0, Math.min(one.y + one.height, other.y + other.height) - y) };
}

/** A style as `#rrggbb` and how opaque it is. */
function plainColour(measuring, style) {
  measuring.fillStyle = style;
  const text = measuring.fillStyle, parts = /^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/.exec(text);
  if (!parts) return [text, 1];
  return [`#${parts.slice(1, 4).map((part) => Number(part).toString(16).padStart(2, '0')).join('')}`, Number(parts[4])];
}

/** An image as rectangles of one colour each, or where that would be too many as a picture. */
function imageElements(canvas, x, y, width, height, alpha) {
  const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
  const reading = copy.getContext('2d', { willReadFrequently: true });
  reading.drawImage(canvas, 0, 0);
  const { data } = reading.getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer), found = [], dx = width / canvas.width, dy = height / canvas.height;
  for (let column = 0, from = 0; column < canvas.width; column = from) {
    from = column + 1;
    while (from < canvas.width && sameColumn(pixels, canvas, column, from)) from++;
    for (let row = 0, end = 0; row < canvas.height; row = end) {
      const colour = pixels[row * canvas.width + column];
      end = row + 1;
      while (end < canvas.height && pixels[end * canvas.width + column] === colour) end++;
      const [r, g, b, a] = data.subarray(4 * (row * canvas.width + column), 4 * (row * canvas.width + column) + 4);
      if (!a) continue;
      const opacity = (a / 255) * alpha;
      found.push(`<rect x="${cut(x + column * dx)}" y="${cut(y + row * dy)}" width="${cut((from - column) * dx)}" height="${
        cut((end - row) * dy)}" shape-rendering="crispEdges" fill="#${[r, g, b].map((v) => v.toString(16).padStart(2, '0')).join('')}"${
        opacity < 1 ? ` fill-opacity="${cut(opacity)}"` : ''}/>`);
    }
    if (found.length > MOST_RUNS) {
      return [`<image x="${cut(x)}" y="${cut(y)}" width="${cut(width)}" height="${cut(height)}" preserveAspectRatio="none"${
        alpha < 1 ? ` opacity="${cut(alpha)}"` : ''} href="${canvas.toDataURL()}"/>`];
    }
  }
  return found;
}

function sameColumn(pixels, { width, height }, one, other) {
  for (let row = 0; row < height; row++) {
    if (pixels[row * width + one] !== pixels[row * width + other]) return false;
  }
  return true;
}
