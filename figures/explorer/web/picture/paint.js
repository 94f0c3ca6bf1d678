/** The picture under everything: axis, lanes, spans as strips of mean colour, edges and names
 *  where a box is wide enough, ticks for updates that take no time. */

const NAMED = 24; // pixels from which a box says what it is
const buffer = document.createElement('canvas');

/** Colours and fonts of the theme, read from the style sheet. */
function readTheme() {
  const style = getComputedStyle(document.documentElement), value = (n) => style.getPropertyValue(n).trim();
  const family = getComputedStyle(document.body).fontFamily;
  return {
    page: value('--page'), lane: value('--lane'), line: value('--line'), ink: value('--ink'),
    soft: value('--soft'), accent: value('--accent'), arrow: value('--arrow'), halo: value('--halo'),
    dark: style.colorScheme === 'dark', font: (size, bold) => `${bold ? '600 ' : ''}${size}px ${family}`};
}

/** Draw all that is visible; `top` is how far the chart is scrolled, `faded` dims every span.
 *  Gives the most spans under one pixel's width of a lane, on average. */
function paint(pen, traces, theme, { top, ratio, faded, colourOf }) {
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = theme.page;
  pen.fillRect(0, 0, view.width, view.height);
  for (const trace of traces) {
    drawTitle(pen, theme, trace, trace.top - top);
    trace.lanes.forEach((lane, number) => {
      const y = boxTop(trace, number) - top;
      if (y + view.lane < AXIS || y > view.height) return;
      pen.fillStyle = theme.lane;
      pen.fillRect(view.gutter, y, plotWidth(), view.box);
      drawLaneName(pen, theme, lane.name, y);
    });
  }
  for (const trace of traces) {
    drawGrid(pen, theme, trace.top - top + TITLE, trace.lanes.length * view.lane);
    trace.lanes.forEach((lane, number) => {
      const y = boxTop(trace, number) - top;
      if (y + view.lane < AXIS || y > view.height) return;
      pen.save();
      pen.beginPath();
      pen.rect(view.gutter, 0, plotWidth(), view.height);
      pen.clip();
      pen.globalAlpha = faded ? 0.3 : 1;
      drawStrip(pen, lane, y, ratio);
      drawBoxes(pen, theme, trace, lane, y, faded ? null : colourOf);
      drawTicks(pen, lane, y + view.box + 1);
      pen.restore();
    });
  }
  drawAxis(pen, theme);
  return Math.max(...traces.flatMap((trace) => trace.lanes.map(inView))) / plotWidth();
}

/** How many of a lane's boxes the view holds. */
const inView = (lane) => upper(lane.start, view.to) - upper(lane.end, view.from);

function drawTitle(pen, theme, trace, y) {
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.fillStyle = theme.ink;
  pen.font = theme.font(13, true);
  const name = elide(pen, trace.name, view.width * 0.45), wide = pen.measureText(name).width;
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
  pen.font = theme.font(12);
  pen.fillText(elide(pen, name, view.gutter - 14), 8, y + view.box / 2);
}

/** The lane as one line of pixels, stretched to the height of its boxes. */
function drawStrip(pen, lane, y, ratio) {
  const width = Math.round(plotWidth() * ratio), image = new ImageData(width, 1);
  strip(lane, view.from, view.to, width, image.data, 0);
  if (buffer.width !== width) {
    buffer.width = width;
    buffer.height = 1;
  }
  buffer.getContext('2d').putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(buffer, view.gutter, y, plotWidth(), view.box);
}

/** Edges, names and waits, where boxes are wide enough to have any. */
function drawBoxes(pen, theme, trace, lane, y, colourOf) {
  const first = upper(lane.end, view.from), stop = upper(lane.start, view.to);
  if (plotWidth() / Math.max(1, stop - first) < 5) return;
  pen.textBaseline = 'middle';
  pen.textAlign = 'center';
  for (let i = first; i < stop; i++) {
    drawGap(pen, trace, lane, i, y);
    const left = Math.max(toX(lane.start[i]), view.gutter - 2);
    const right = Math.min(toX(lane.end[i]), view.width - PAD + 2);
    if (right - left < 5) continue;
    pen.fillStyle = theme.page;
    pen.fillRect(right - 0.5, y, 1, view.box);
    if (right - left >= NAMED) drawName(pen, theme, trace, lane.boxes[i], left, right, y, colourOf);
  }
}

/** The longest of what a box could say that fits. */
function drawName(pen, theme, trace, row, left, right, y, colourOf) {
  const name = boxName(trace, row), version = readsWeights(trace.op[row]) ? ` v${trace.version_read[row]}` : '';
  pen.font = theme.font(Math.min(12, view.box - 2));
  pen.fillStyle = colourOf ? inkOn(colourOf(trace, row)) : theme.ink;
  pen.globalAlpha = colourOf ? 1 : 0.55;
  const text = fitting(pen, [name + version, name, name.replace(/^[A-Z_]+/, '')], right - left - 4);
  pen.fillText(text, (left + right) / 2, y + view.box / 2 + 0.5);
}

/** The first of these texts that fits a width, or nothing. */
function fitting(pen, texts, width) {
  return texts.find((text) => pen.measureText(text).width <= width) ?? '';
}

/** Part of the gap before a box in which its message was under way: `[from, to]`, or null. */
function waitBefore(trace, lane, i) {
  const row = lane.boxes[i], sent = trace.sent_s[row], arrived = trace.arrived_s[row];
  const from = Math.max(i ? lane.end[i - 1] : 0, sent), to = Math.min(lane.start[i], arrived);
  return to > from ? [from, to] : null;
}

const hasWaits = (trace) => trace.lanes.some((lane) =>
  lane.boxes.some((_, i) => waitBefore(trace, lane, i)));

function drawGap(pen, trace, lane, i, y) {
  const wait = waitBefore(trace, lane, i);
  if (wait) drawWait(pen, toX(wait[0]), toX(wait[1]), y + view.box / 2);
}

function drawWait(pen, left, right, y) {
  if (right - left < 2) return;
  pen.strokeStyle = css(GREY);
  pen.lineWidth = 2;
  pen.setLineDash([2, 2]);
  pen.beginPath();
  pen.moveTo(left, y);
  pen.lineTo(right, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

/** Spans that take no time, a mark each, or one where several share a pixel. */
function drawTicks(pen, lane, y) {
  pen.fillStyle = css(PASS[U]);
  const pixel = (view.to - view.from) / plotWidth();
  let i = upper(lane.tickAt, view.from - 2 * pixel);
  while (i < lane.ticks.length && lane.tickAt[i] <= view.to) {
    pen.fillRect(toX(lane.tickAt[i]) - 1, y, 2, TICK);
    i = gallop(lane.tickAt, lane.tickAt[i] + pixel, i);
  }
}
