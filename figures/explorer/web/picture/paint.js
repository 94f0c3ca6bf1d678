/** The picture under everything: axis, lanes, spans as pixels (see sums.js), edges and names where
 *  a box is wide enough, ticks for updates that take no time. */

const NAMED = 24; // pixels from which a box says what it is
const buffer = document.createElement('canvas');

/** Colours and fonts of the theme, read from the style sheet. */
function readTheme() {
  const style = getComputedStyle(document.documentElement), value = (n) => style.getPropertyValue(n).trim();
  const family = getComputedStyle(document.body).fontFamily;
  return {
    page: value('--page'), lane: value('--lane'), line: value('--line'), ink: value('--ink'),
    soft: value('--soft'), accent: value('--accent'), arrow: value('--arrow'), halo: value('--halo'),
    path: value('--path'), astray: value('--astray'),
    dark: style.colorScheme === 'dark', font: (size, bold) => `${bold ? '600 ' : ''}${size}px ${family}`};
}

/** Draw all that is visible; `top` is how far the chart is scrolled, `faded` dims every span,
 *  `below(pen, theme, trace, y)` draws what lies under a trace's lanes. */
function paint(pen, traces, theme, { top, ratio, faded, below }) {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = theme.page;
  pen.fillRect(0, 0, view.width, view.height);
  for (const trace of traces.filter((each) => !each.hidden)) drawTitle(pen, theme, trace, trace.top - top);
  for (const trace of unfolded(traces)) {
    const visible = trace.lanes.map((lane, number) => [lane, boxTop(trace, number) - top])
      .filter(([, y]) => y + view.lane >= AXIS && y <= view.height);
    for (const [lane, y] of visible) {
      pen.fillStyle = theme.lane;
      pen.fillRect(view.gutter, y, plotWidth(), view.box);
      drawLaneName(pen, theme, lane.name, y);
    }
    drawGrid(pen, theme, trace.top - top + TITLE, trace.lanes.length * view.lane);
    for (const [lane, y] of visible) drawLane(pen, theme, trace, lane, y, ratio, faded);
    below(pen, theme, trace, trace.foot - top);
  }
  drawAxis(pen, theme);
}

function drawLane(pen, theme, trace, lane, y, ratio, faded) {
  pen.save();
  pen.beginPath();
  pen.rect(view.gutter, 0, plotWidth(), view.height);
  pen.clip();
  pen.globalAlpha = faded ? 0.3 : 1;
  drawPixels(pen, trace, lane, y, ratio);
  drawBoxes(pen, theme, trace, lane, y, faded);
  drawTicks(pen, trace, lane, y + view.box + 1);
  pen.restore();
}

function drawTitle(pen, theme, trace, y) {
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.fillStyle = theme.ink;
  pen.font = theme.font(13, true);
  const sign = state.traces.length > 1 ? `${trace.collapsed ? '▸' : '▾'} ` : '';
  const name = sign + elide(pen, trace.name, view.width * 0.45), wide = pen.measureText(name).width;
  pen.fillText(name, 8, y + TITLE / 2 + 2);
  pen.font = theme.font(13);
  pen.fillStyle = theme.soft;
  pen.fillText(elide(pen, trace.facts, view.width - wide - 28), 8 + wide + 12, y + TITLE / 2 + 2);
}

/** Text cut at its end to a width. */
function elide(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let kept = text;
  while (kept.length > 1 && pen.measureText(`${kept}…`).width > width) kept = kept.slice(0, -1);
  return `${kept}…`;
}

function drawLaneName(pen, theme, name, y) {
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.fillStyle = theme.soft;
  pen.font = theme.font(laneText());
  pen.fillText(elide(pen, name, view.gutter - 14), 8, y + view.box / 2);
}

/** Size of the lanes' names: they grow with the lanes, a little. */
const laneText = () => Math.max(12, Math.min(14, view.text));

/** The pixels of a lane: where spans are wide one line of them, stretched to the boxes' height. */
function drawPixels(pen, trace, lane, y, ratio) {
  const width = Math.round(plotWidth() * ratio), { from, to } = seen(trace);
  const near = reach(lane, from, to, width), height = near ? Math.round(view.box * ratio) : 1;
  if (width < 1) return;
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  if (near) columns(trace, [lane], from, to, width, height, near, pixels);
  else singles(trace, lane, from, to, width, pixels);
  if (buffer.width !== width || buffer.height !== height) Object.assign(buffer, { width, height });
  buffer.getContext('2d').putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(buffer, view.gutter, y, plotWidth(), view.box);
}

/** Whether any lane in sight shows columns of shares. */
function crowded(traces, ratio) {
  return unfolded(traces).some((trace) => {
    const { from, to } = seen(trace);
    return trace.lanes.some((lane) => reach(lane, from, to, Math.round(plotWidth() * ratio)) > 0);
  });
}

/** Edges, names and waits, where boxes are wide enough to have any. */
function drawBoxes(pen, theme, trace, lane, y, faded) {
  const { from, to } = seen(trace);
  const first = upper(lane.end, from), stop = upper(lane.start, to);
  if (plotWidth() / Math.max(1, stop - first) < 5) return;
  pen.textBaseline = 'middle';
  pen.textAlign = 'center';
  for (let i = first; i < stop; i++) {
    drawGap(pen, trace, lane, i, y);
    const left = Math.max(toX(trace, lane.start[i]), view.gutter - 2);
    const right = Math.min(toX(trace, lane.end[i]), view.width - PAD + 2);
    if (right - left < 5) continue;
    pen.fillStyle = theme.page;
    pen.fillRect(right - 0.5, y, 1, view.box);
    if (right - left >= NAMED) drawName(pen, theme, trace, lane.boxes[i], left, right, y, faded);
  }
}

/** The longest of what a box could say that fits. */
function drawName(pen, theme, trace, row, left, right, y, faded) {
  const name = boxName(trace, row), version = readsWeights(trace.op[row]) ? ` v${trace.version_read[row]}` : '';
  pen.fillStyle = faded ? theme.ink : inkOn(modeOf(trace).of(trace, row));
  pen.globalAlpha = faded ? 0.55 : 1;
  const room = right - left - 4;
  const text = fitting(pen, theme, [name + version, name], room) || fitting(pen, theme, [name.replace(/^[A-Z_]+/, '')], room);
  pen.fillText(text, (left + right) / 2, y + view.box / 2 + 0.5);
}

/** The mode a trace's lanes are coloured by. */
const modeOf = (trace) => trace.lanes[0].mode;

const SMALLEST = 10; // pixels of a name's letters

/** The first of these texts that fits a width in letters as large as the boxes allow, else the last
 *  in smaller ones, or nothing.  The pen has the font. */
function fitting(pen, theme, texts, width, bold = false) {
  const fits = (text, size) => {
    pen.font = theme.font(size, bold);
    return pen.measureText(text).width <= width;
  };
  const found = texts.find((text) => fits(text, view.text)), last = texts[texts.length - 1];
  if (found !== undefined) return found;
  return [12, SMALLEST].some((size) => size < view.text && fits(last, size)) ? last : '';
}

/** Part of the gap before a box in which its message was under way: `[from, to]`, or null. */
function waitBefore(trace, lane, i) {
  const row = lane.boxes[i], sent = trace.sent_s[row], arrived = trace.arrived_s[row];
  const from = Math.max(i ? lane.end[i - 1] : 0, sent), to = Math.min(lane.start[i], arrived);
  return to > from ? [from, to] : null;
}

/** Whether any message keeps a device of a trace waiting. */
function hasWaits(trace) {
  trace.waits ??= trace.lanes.some((lane) => lane.boxes.some((_, i) => waitBefore(trace, lane, i)));
  return trace.waits;
}

function drawGap(pen, trace, lane, i, y) {
  const wait = waitBefore(trace, lane, i);
  if (wait) drawWait(pen, toX(trace, wait[0]), toX(trace, wait[1]), y + view.box / 2);
}

function drawWait(pen, left, right, y) {
  if (right - left < 2) return;
  pen.strokeStyle = css(MESSAGE);
  pen.lineWidth = 2;
  pen.setLineDash([2, 2]);
  pen.beginPath();
  pen.moveTo(left, y);
  pen.lineTo(right, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

/** Spans that take no time, a mark each; a thin line where they lie too close to be told apart. */
function drawTicks(pen, trace, lane, y) {
  const { from, to } = seen(trace), pixel = (to - from) / plotWidth();
  const count = upper(lane.tickAt, to) - upper(lane.tickAt, from);
  const high = count * 3 > plotWidth() ? 2 : TICK;
  pen.fillStyle = css(PASS[U]);
  let i = upper(lane.tickAt, from - 2 * pixel);
  while (i < lane.ticks.length && lane.tickAt[i] <= to) {
    pen.fillRect(toX(trace, lane.tickAt[i]) - 1, y, 2, high);
    i = gallop(lane.tickAt, lane.tickAt[i] + pixel, i);
  }
}
