/** The measured stretch: a band over everything, its length written on the axis. */

/** Draw `range`, `{ from, to }` in moments of the axis. */
function drawRange(pen, theme, { from, to }) {
  const left = Math.max(axisX(from), view.gutter), right = Math.min(axisX(to), view.width - PAD);
  if (right < left) return;
  pen.fillStyle = theme.accent;
  pen.globalAlpha = 0.12;
  pen.fillRect(left, AXIS - 8, right - left, view.height);
  pen.globalAlpha = 1;
  pen.strokeStyle = theme.accent;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const time of [from, to]) {
    const x = axisX(time);
    if (x < view.gutter || x > view.width - PAD) continue;
    pen.moveTo(x, 2);
    pen.lineTo(x, view.height);
  }
  pen.moveTo(left, AXIS - 8.5);
  pen.lineTo(right, AXIS - 8.5);
  pen.stroke();
  pen.lineWidth = 1;
  pen.font = theme.font(12, true);
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  const text = lengthText(to - from), width = pen.measureText(text).width + 10;
  const x = Math.min(Math.max((left + right) / 2, view.gutter + width / 2), view.width - PAD - width / 2);
  pen.fillStyle = theme.page;
  pen.fillRect(x - width / 2, 4, width, 18);
  pen.fillStyle = theme.accent;
  pen.fillText(text, x, 13.5);
}

/** A length of the axis in words. */
function lengthText(length) {
  return view.scale ? `${short(length * view.scale.by, 4)} ${view.scale.unit}` : duration(length);
}
