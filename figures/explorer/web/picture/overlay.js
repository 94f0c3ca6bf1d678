/** What lies over the picture: the round trip with arrows and versions, the chosen and the hovered
 *  span. */

/** Pixels of a row as they are now: `{ x, y, width, height }` within the canvas. */
function rectangle(trace, row, top) {
  const y = boxTop(trace, trace.laneOf[row]) - top, x = toX(trace.start_s[row]);
  const width = toX(trace.end_s[row]) - x;
  if (trace.end_s[row] > trace.start_s[row]) return { x, y, width, height: view.box };
  return { x: x - 1, y: y + view.box + 1, width: 2, height: TICK };
}

function paintOverlay(pen, traces, theme, { top, ratio, minibatch, chosen, hovered, colourOf }) {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
  pen.save();
  pen.beginPath();
  pen.rect(view.gutter - 1, AXIS, plotWidth() + 2, view.height - AXIS);
  pen.clip();
  if (minibatch) {
    for (const trace of traces) {
      if (minibatch <= trace.minibatches) drawTrip(pen, theme, trace, minibatch, top, colourOf);
    }
  }
  for (const [span, colour] of [[hovered, theme.ink], [chosen, theme.accent]]) {
    if (span) outline(pen, rectangle(span.trace, span.row, top), colour, 2.5);
  }
  pen.restore();
}

function outline(pen, { x, y, width, height }, colour, thick) {
  const left = Math.max(x, -20), right = Math.min(x + width, view.width + 20);
  pen.strokeStyle = colour;
  pen.lineWidth = thick;
  pen.strokeRect(left, y, Math.max(right - left, 1), height);
  pen.lineWidth = 1;
}

function drawTrip(pen, theme, trace, minibatch, top, colourOf) {
  const { rows, updates: own, arrows } = tripOf(trace, minibatch);
  for (const row of [...own, ...rows]) {
    const place = rectangle(trace, row, top), wide = { ...place, width: Math.max(place.width, 2.5) };
    pen.fillStyle = css(colourOf(trace, row));
    pen.fillRect(wide.x, wide.y, wide.width, wide.height);
    if (trace.op[row] !== U) {
      outline(pen, wide, theme.ink, 1);
      nameInside(pen, theme, trace, row, place, colourOf);
    }
  }
  for (const [from, to] of arrows) drawArrow(pen, theme, trace, from, to, top);
  drawVersions(pen, theme, trace, rows, top);
}

function nameInside(pen, theme, trace, row, { x, y, width, height }, colourOf) {
  pen.font = theme.font(Math.min(12, height - 2), true);
  const name = boxName(trace, row), text = fitting(pen, [name, name.replace(/^[A-Z_]+/, '')], width - 4);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillStyle = inkOn(colourOf(trace, row));
  pen.fillText(text, x + width / 2, y + height / 2 + 0.5);
}

/** An arrow from the end of one pass to the start of the next, from lane to lane. */
function drawArrow(pen, theme, trace, from, to, top) {
  const a = rectangle(trace, from, top), b = rectangle(trace, to, top);
  if (a.y === b.y) return;
  const down = b.y > a.y;
  const inset = (r) => Math.min(5, Math.max(r.width, 0) / 3);
  const x0 = a.x + a.width - inset(a), y0 = down ? a.y + a.height : a.y;
  const x1 = b.x + inset(b), y1 = down ? b.y : b.y + b.height;
  const length = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / length, uy = (y1 - y0) / length;
  const head = Math.min(9, length / 2);
  pen.strokeStyle = pen.fillStyle = theme.arrow;
  pen.lineWidth = 1.6;
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1 - ux * head * 0.8, y1 - uy * head * 0.8);
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - ux * head - uy * head * 0.45, y1 - uy * head + ux * head * 0.45);
  pen.lineTo(x1 - ux * head + uy * head * 0.45, y1 - uy * head - ux * head * 0.45);
  pen.fill();
  pen.lineWidth = 1;
}

/** Whether there is room for labels above boxes. */
const roomy = () => view.room > 10;

/** The versions read: above the boxes, leaning out of the arrows' way, or where lanes are close
 *  beside them, forwards' left and backwards' right. */
function drawVersions(pen, theme, trace, rows, top) {
  const lanes = new Map();
  pen.font = theme.font(12, true);
  for (const row of rows) {
    const text = versionLabel(trace, row), { x, y, width } = rectangle(trace, row, top);
    if (!text || x + width < view.gutter || x > view.width - PAD) continue;
    if (!lanes.has(y)) lanes.set(y, []);
    const wide = pen.measureText(text).width + 6, at = x + width / 2;
    const lean = trace.stage[row] === trace.stages - 1 ? 0 : trace.op[row] === F ? 1 : -1;
    const side = trace.op[row] === F ? -1 : 1;
    lanes.get(y).push({ text, at, width: wide, ...(roomy() ? { x: at + lean * (wide / 2 - 2), side: 0 }
      : { x: at + side * ((width + wide) / 2 + 2), side }) });
  }
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  for (const [y, labels] of lanes) {
    const middle = roomy() ? y - 9 : y + view.box / 2;
    for (const { text, x, width } of spread(labels, view.gutter, view.width - PAD)) {
      pen.fillStyle = theme.halo;
      pen.fillRect(x - width / 2, middle - 7, width, 14);
      pen.fillStyle = theme.accent;
      pen.fillText(text, x, middle + 0.5);
    }
  }
}
