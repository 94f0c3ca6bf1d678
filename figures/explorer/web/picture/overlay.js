/** What lies over the picture: the round trip with arrows and labels, the chosen and the hovered
 *  span, and the measured stretch. */

const MANY = 3; // arrows of a round trip for each stage

/** Pixels of a row as they are now: `{ x, y, width, height }` within the canvas. */
function rectangle(trace, row, top) {
  const y = boxTop(trace, trace.laneOf[row]) - top, x = toX(trace, trace.start_s[row]);
  const width = toX(trace, trace.end_s[row]) - x;
  if (trace.end_s[row] > trace.start_s[row]) return { x, y, width, height: view.box };
  return { x: x - 1, y: y + view.box + 1, width: 2, height: TICK };
}

/** `marks(pen, theme, trace, top)` draws what else lies over a trace's lanes, under the trip. */
function paintOverlay(pen, traces, theme, { top, ratio, minibatch, chosen, hovered, range, told, marks }) {
  const drawn = unfolded(traces);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
  pen.save();
  pen.beginPath();
  pen.rect(view.gutter - 1, AXIS, plotWidth() + 2, view.height - AXIS);
  pen.clip();
  for (const trace of drawn) {
    marks(pen, theme, trace, top);
    if (minibatch && minibatch <= trace.minibatches) drawTrip(pen, theme, trace, minibatch, top);
  }
  for (const [span, colour] of [[hovered, theme.ink], [chosen, theme.accent]]) {
    if (span && drawn.includes(span.trace)) outline(pen, rectangle(span.trace, span.row, top), colour, 2.5);
  }
  for (const { trace, row } of told ?? []) {
    if (drawn.includes(trace)) ring(pen, theme, rectangle(trace, row, top));
  }
  pen.restore();
  if (range) drawRange(pen, theme, range);
}

function outline(pen, { x, y, width, height }, colour, thick) {
  const left = Math.max(x, -20), right = Math.min(x + width, view.width + 20);
  pen.strokeStyle = colour;
  pen.lineWidth = thick;
  pen.strokeRect(left, y, Math.max(right - left, 1), height);
  pen.lineWidth = 1;
}

/** What the guide speaks of: a frame with air around the span. */
function ring(pen, theme, { x, y, width, height }) {
  pen.strokeStyle = theme.page;
  pen.lineWidth = 6;
  pen.strokeRect(x - 3, y - 3, width + 6, height + 6);
  pen.strokeStyle = theme.arrow;
  pen.lineWidth = 3;
  pen.strokeRect(x - 3, y - 3, width + 6, height + 6);
  pen.lineWidth = 1;
}

function drawTrip(pen, theme, trace, minibatch, top) {
  const { rows, updates: own, arrows } = tripOf(trace, minibatch), { of } = modeOf(trace);
  const narrow = new Set();
  for (const row of [...own, ...rows]) {
    const place = rectangle(trace, row, top), wide = { ...place, width: Math.max(place.width, 2.5) };
    pen.fillStyle = css(of(trace, row));
    pen.fillRect(wide.x, wide.y, wide.width, wide.height);
    if (trace.op[row] === U) continue;
    outline(pen, wide, theme.ink, 1);
    if (!nameInside(pen, theme, trace, row, place)) narrow.add(row);
  }
  const labels = placedLabels(pen, theme, trace, rows, narrow, top);
  const many = arrows.length > MANY * trace.stages; // then they are thin and stay under the labels
  if (!many) for (const label of labels) drawHalo(pen, theme, label);
  pen.globalAlpha = many ? 0.55 : 1;
  for (const [from, to] of arrows) drawArrow(pen, theme, trace, from, to, top, many ? 1 : 1.6);
  pen.globalAlpha = 1;
  if (many) for (const label of labels) drawHalo(pen, theme, label);
  for (const label of labels) drawLabel(pen, theme, label);
}

/** The name of a pass in its box, on the part of it that is in sight; whether it fitted. */
function nameInside(pen, theme, trace, row, { x, y, width, height }) {
  const left = Math.max(x, view.gutter), right = Math.min(x + width, view.width - PAD);
  if (right < left) return true; // out of sight
  const text = fitting(pen, theme, [boxName(trace, row)], right - left - 4, true);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillStyle = inkOn(modeOf(trace).of(trace, row));
  pen.fillText(text, (left + right) / 2, y + height / 2 + 0.5);
  return text !== '';
}

/** An arrow from the end of one pass to the start of the next, from lane to lane. */
function drawArrow(pen, theme, trace, from, to, top, thick) {
  const a = rectangle(trace, from, top), b = rectangle(trace, to, top);
  if (a.y === b.y) return;
  const down = b.y > a.y;
  const inset = (r) => Math.min(5, Math.max(r.width, 0) / 3);
  const x0 = a.x + a.width - inset(a), y0 = down ? a.y + a.height : a.y;
  const x1 = b.x + inset(b), y1 = down ? b.y : b.y + b.height;
  const length = Math.hypot(x1 - x0, y1 - y0) || 1, ux = (x1 - x0) / length, uy = (y1 - y0) / length;
  const head = Math.min(thick > 1 ? 9 : 6, length / 2);
  pen.strokeStyle = pen.fillStyle = theme.arrow;
  pen.lineWidth = thick;
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
const labelText = () => Math.min(14, Math.max(12, view.text));

/** The versions read, with the pass' name where its box is too narrow for it (`narrow`): labels
 *  with their place, none over another. */
function placedLabels(pen, theme, trace, rows, narrow, top) {
  pen.font = theme.font(labelText(), true);
  const lanes = new Map();
  for (const row of rows) {
    const place = rectangle(trace, row, top);
    if (place.x + place.width < view.gutter || place.x > view.width - PAD) continue;
    if (!lanes.has(place.y)) lanes.set(place.y, []);
    lanes.get(place.y).push({ row, place });
  }
  return [...lanes].flatMap(([y, passes]) => {
    const put = (named) => spread(inSight(passes.map((pass) =>
      labelOf(pen, trace, pass, named && narrow.has(pass.row))).filter(({ text }) => text)), view.gutter, view.width - PAD);
    const full = put(true); // where they are too many to name each, versions alone
    const placed = full.some(({ crowded: off }) => off) ? put(false) : full;
    return placed.filter(({ crowded: off }) => !off).map((label) => ({ ...label, ...heights(y) }));
  });
}

/** Labels of a lane that stand outside of their trip: all of them on the other side, one after the
 *  other, where the edge of the view leaves no room for those of one side. */
function inSight(labels) {
  const outer = (side) => labels.some(({ x, width, named }) => named
    && (side < 0 ? x - width / 2 < view.gutter : x + width / 2 > view.width - PAD));
  if (!roomy() || outer(-1) === outer(1)) return labels;
  const side = outer(-1) ? 1 : -1, order = [...labels].sort((a, b) => side * (a.at - b.at));
  let x = order[order.length - 1].at + side * (3 * order[order.length - 1].half + 3);
  return order.map((label) => {
    const placed = { ...label, tied: true, x: x + side * (label.width / 2) };
    x += side * (label.width + 5);
    return placed;
  });
}

/** Height, middle and foot (where a line to the box ends) of a label of the boxes at `y`. */
function heights(y) {
  const high = labelText() + 2;
  return roomy() ? { high, middle: y - 2 - Math.max(high / 2, view.room / 2 - 1), foot: y }
    : { high, middle: y + view.box / 2, foot: y + view.box / 2 };
}

/** A pass' label: above its box, leaning out of the arrows' way, or where boxes are narrow or lanes
 *  close outside of the trip, forwards' left and backwards' right. */
function labelOf(pen, trace, { row, place: { x, width } }, named) {
  const version = versionLabel(trace, row), name = named ? boxName(trace, row) : '';
  const text = [name, version].filter(Boolean).join(' ');
  const left = Math.max(x, view.gutter), right = Math.min(x + width, view.width - PAD);
  const wide = pen.measureText(text).width + 6, at = (left + right) / 2, forward = trace.op[row] === F;
  const lean = trace.stage[row] === trace.stages - 1 ? 0 : forward ? 1 : -1, half = (right - left) / 2;
  const outside = forward ? -1 : 1, past = Math.min(3 * half, half + 24) + 3; // beyond the arrow
  if (roomy()) {
    const aside = named ? outside * (past + wide / 2) : lean * (wide / 2 - 2);
    return { text, at, half, width: wide, named, x: at + aside, side: 0 };
  }
  const end = at + outside * (half + wide + 2);
  const side = end < view.gutter || end > view.width - PAD ? -outside : outside;
  return { text, at, half, width: wide, named, x: at + side * (half + wide / 2 + 2), side };
}

function drawHalo(pen, theme, { x, width, middle, high }) {
  pen.fillStyle = theme.halo;
  pen.fillRect(x - width / 2, middle - high / 2, width, high);
}

/** A label and, where it does not stand at its box, a line to it. */
function drawLabel(pen, theme, { text, x, width, from, to, half, named, high, middle, foot }) {
  const at = Math.min(Math.max(x, from), to), off = Math.abs(at - x);
  if (roomy() ? named || off > width / 2 : off > half + width / 2 + 8) {
    pen.strokeStyle = theme.accent;
    pen.beginPath();
    pen.moveTo(Math.min(Math.max(at, x - width / 2 + 2), x + width / 2 - 2), roomy() ? middle + high / 2 : middle);
    pen.lineTo(at, foot);
    pen.stroke();
  }
  pen.font = theme.font(labelText(), true);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillStyle = theme.accent;
  pen.fillText(text, x, middle + 0.5);
}
