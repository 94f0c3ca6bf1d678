/** Marks over the lanes: the path that decided how long a run took, and where a training went
 *  astray. */

const CLOSE = 1500; // spans of a path in sight up to which its steps from lane to lane are drawn
const marked = { path: false }; // whether the critical path is marked

/** Rows of a trace's critical path in the order they ran, with their times. */
function pathOf(trace) {
  if (!trace.path) {
    const rows = [];
    for (let row = 0; row < trace.rows; row++) if (trace.critical[row]) rows.push(row);
    rows.sort((a, b) => trace.start_s[a] - trace.start_s[b] || trace.end_s[a] - trace.end_s[b]);
    trace.path = { rows: Int32Array.from(rows), start: taken(trace.start_s, rows), end: taken(trace.end_s, rows) };
  }
  return trace.path;
}

/** The marks of a trace.  On the page they are painted once for as long as the picture stays as it
 *  is, since what lies over it is painted anew with every move of the mouse. */
function drawMarks(pen, theme, trace, top) {
  if (!marked.path && trace.summary.diverged_at === null) return;
  if (!pen.canvas?.isConnected) {
    paintMarks(pen, theme, trace, top);
    return;
  }
  const { width, height } = pen.canvas, fine = width / view.width, key = [view.from, view.to, view.gutter,
    view.lane, width, height, top, trace.top, trace.foot, trace.clock.at, trace.clock.by, theme.dark, marked.path].join();
  if (trace.marks?.key !== key) {
    const layer = trace.marks?.layer ?? document.createElement('canvas');
    Object.assign(layer, { width, height });
    const own = layer.getContext('2d');
    own.setTransform(fine, 0, 0, fine, 0, 0);
    paintMarks(own, theme, trace, top);
    trace.marks = { key, layer };
  }
  pen.drawImage(trace.marks.layer, 0, 0, view.width, view.height);
}

function paintMarks(pen, theme, trace, top) {
  pen.save();
  pen.beginPath();
  pen.rect(view.gutter, AXIS, plotWidth(), view.height - AXIS);
  pen.clip();
  if (marked.path) drawPath(pen, theme, trace, top);
  if (trace.summary.diverged_at !== null) drawDivergence(pen, theme, trace, top);
  pen.restore();
}

/** A thick line under every span of the path, and where there are few the steps between lanes. */
function drawPath(pen, theme, trace, top) {
  const { rows, start, end } = pathOf(trace), { from, to } = seen(trace);
  const first = Math.max(0, upper(end, from) - 1), stop = Math.min(upper(start, to) + 1, rows.length);
  pen.fillStyle = pen.strokeStyle = theme.path;
  const drawn = new Map();
  for (let i = first; i < stop; i++) {
    const number = trace.laneOf[rows[i]], left = toX(trace, start[i]), right = Math.max(toX(trace, end[i]), left + 1);
    if (drawn.has(number) && right <= drawn.get(number)) continue;
    const begin = Math.max(left, drawn.get(number) ?? -Infinity, view.gutter - 5);
    pen.fillRect(begin, boxTop(trace, number) - top + view.box - 4, right - begin, 6);
    drawn.set(number, right);
  }
  if (stop - first > CLOSE) return;
  pen.lineWidth = 2.5;
  pen.beginPath();
  for (let i = first + 1; i < stop; i++) {
    const [a, b] = [rows[i - 1], rows[i]].map((row) => boxTop(trace, trace.laneOf[row]) - top + view.box - 1);
    if (a === b) continue;
    pen.moveTo(toX(trace, end[i - 1]), a);
    pen.lineTo(toX(trace, start[i]), b);
  }
  pen.stroke();
  pen.lineWidth = 1;
}

/** When the loss of the mini-batch that went astray was known, in the trace's own seconds, and for
 *  each lane from when on its passes compute with weights that are no numbers. */
function divergenceOf(trace) {
  if (!trace.astray) {
    const rows = rowsOf(trace, trace.summary.diverged_at);
    const last = rows.filter((row) => trace.op[row] === F && trace.stage[row] === trace.stages - 1);
    const lost = trace.lanes.map((lane) => lane.boxes.find((row) =>
      readsWeights(trace.op[row]) && !Number.isFinite(trace.weight_distance[row])));
    trace.astray = { time: Math.max(...last.map((row) => trace.end_s[row])),
      lost: lost.map((row) => (row === undefined ? null : trace.start_s[row])) };
  }
  return trace.astray;
}

function drawDivergence(pen, theme, trace, top) {
  const { time, lost } = divergenceOf(trace), x = toX(trace, time), end = toX(trace, lastEnd(trace));
  lost.forEach((from, number) => {
    if (from !== null) hatch(pen, theme, toX(trace, from), end, boxTop(trace, number) - top, view.box);
  });
  pen.strokeStyle = theme.astray;
  pen.lineWidth = 2;
  pen.setLineDash([6, 3]);
  pen.beginPath();
  pen.moveTo(x, trace.top + TITLE / 2 - top);
  pen.lineTo(x, trace.foot - top);
  pen.stroke();
  pen.setLineDash([]);
  pen.lineWidth = 1;
  sayDiverged(pen, theme, trace, x, trace.top - top);
}

/** In the line of the trace's title, so that no label lies below it: beside the mark where there is
 *  room, else at the end of the line. */
function sayDiverged(pen, theme, trace, x, y) {
  const text = `diverged in mini-batch ${trace.summary.diverged_at}`;
  pen.font = theme.font(13, true);
  const name = pen.measureText(`▾ ${trace.name}`).width;
  pen.font = theme.font(13);
  const taken = 8 + Math.min(name, view.width * 0.45) + 12 + pen.measureText(trace.facts).width + 16;
  pen.font = theme.font(12, true);
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  const wide = pen.measureText(text).width, end = view.width - PAD - wide;
  const left = [x + 5, x - 5 - wide].find((at) => at >= taken && at <= end) ?? end;
  pen.fillStyle = theme.page;
  pen.fillRect(left - 4, y + 3, wide + 8, TITLE - 6);
  pen.fillStyle = theme.astray;
  pen.fillText(text, left, y + TITLE / 2 + 2);
}

/** Slanting lines over a stretch of a lane. */
function hatch(pen, theme, left, right, y, height) {
  const from = Math.max(left, view.gutter), to = Math.min(right, view.width - PAD);
  if (to - from < 1) return;
  pen.save();
  pen.beginPath();
  pen.rect(from, y, to - from, height);
  pen.clip();
  pen.strokeStyle = theme.astray;
  pen.globalAlpha = 0.55;
  pen.beginPath();
  for (let x = from - height - ((from - height) % 9); x < to; x += 9) {
    pen.moveTo(x, y + height);
    pen.lineTo(x + height, y);
  }
  pen.stroke();
  pen.restore();
}
