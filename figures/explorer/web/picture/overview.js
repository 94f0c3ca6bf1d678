/** The whole run in a strip above the lanes, with the window in which the lanes show it. */

const STRIP = 46, EDGE = 6; // height of the strip, and pixels from which an edge is taken
const whole = { key: '', canvas: document.createElement('canvas') }; // the strip as last drawn

/** Pixel of the strip a moment lies at, and the moment of a pixel. */
const stripX = (time) => view.gutter + ((time - view.first) / (view.last - view.first)) * plotWidth();
const stripTime = (x) => view.first + ((x - view.gutter) / plotWidth()) * (view.last - view.first);

/** Both ends of the window in the strip's pixels, never so near that it could not be taken. */
function windowEdges() {
  const left = Math.max(stripX(view.from), view.gutter), right = Math.min(stripX(view.to), view.width - PAD);
  const lack = Math.max(0, 4 - (right - left)) / 2;
  return [left - lack, right + lack];
}

/** Draw the strip; `key` tells when the run under the window must be drawn anew. */
function paintOverview(pen, traces, theme, { ratio, range, key }) {
  pen.setTransform(1, 0, 0, 1, 0, 0);
  if (whole.key !== key) {
    Object.assign(whole.canvas, { width: pen.canvas.width, height: pen.canvas.height });
    paintWhole(whole.canvas.getContext('2d'), traces, theme, ratio);
    whole.key = key;
  }
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  pen.drawImage(whole.canvas, 0, 0);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const [left, right] = windowEdges(), end = view.width - PAD;
  pen.fillStyle = theme.page;
  pen.globalAlpha = 0.62;
  pen.fillRect(view.gutter, 0, Math.max(0, left - view.gutter), STRIP);
  pen.fillRect(right, 0, Math.max(0, end - right), STRIP);
  pen.globalAlpha = 1;
  if (range) {
    pen.fillStyle = theme.accent;
    pen.globalAlpha = 0.3;
    const from = Math.max(view.gutter, stripX(range.from)), to = Math.min(end, stripX(range.to));
    pen.fillRect(from, 0, Math.max(1, to - from), STRIP);
    pen.globalAlpha = 1;
  }
  pen.strokeStyle = pen.fillStyle = theme.accent;
  pen.lineWidth = 1.5;
  pen.strokeRect(left, 1, right - left, STRIP - 2);
  for (const x of [left, right]) pen.fillRect(x - 2, STRIP / 2 - 8, 4, 16);
  pen.lineWidth = 1;
}

/** Every trace a band: how busy its devices are, in the colours of the lanes. */
function paintWhole(pen, traces, theme, ratio) {
  const width = Math.round(plotWidth() * ratio), shown = traces.filter((trace) => !trace.hidden);
  const band = Math.floor((STRIP * ratio - 4) / shown.length), height = Math.max(1, band - 2);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  pen.fillStyle = theme.soft;
  pen.font = theme.font(12 * ratio);
  pen.textBaseline = 'middle';
  pen.fillText('whole run', 8 * ratio, (STRIP * ratio) / 2);
  if (width < 1) return;
  shown.forEach((trace, number) => {
    const image = new ImageData(width, height), y = 2 + number * band;
    const [from, to] = [view.first, view.last].map((time) => ownTime(trace, time));
    const apart = Math.min(...trace.lanes.map((lane) => width / Math.max(1, lane.boxes.length)));
    columns(trace, trace.lanes, from, to, width, height, Math.max(1, SMOOTH * Math.min(apart, CROWDED)),
      new Uint32Array(image.data.buffer));
    pen.fillStyle = theme.lane;
    pen.fillRect(Math.round(view.gutter * ratio), y, width, height);
    buffer.width = width;
    buffer.height = height;
    buffer.getContext('2d').putImageData(image, 0, 0);
    pen.drawImage(buffer, Math.round(view.gutter * ratio), y);
  });
}
