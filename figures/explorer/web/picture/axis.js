/** The time axis: round ticks with a unit. */

const STEPS = [1, 2, 5, 10];

/** Ticks of the visible stretch: `{ time, text }`, and the unit they are in. */
function ticks() {
  const apart = ((view.to - view.from) * 90) / plotWidth();
  const power = 10 ** Math.floor(Math.log10(apart));
  const step = power * STEPS.find((s) => s * power >= apart);
  const [unit, by] = view.scale ? [view.scale.unit, view.scale.by]
    : unitFor(Math.max(Math.abs(view.from), Math.abs(view.to)));
  const digits = Math.min(12, Math.max(0, -Math.floor(Math.log10(step * by) + 1e-9)));
  const found = [];
  for (let k = Math.ceil(view.from / step); k * step <= view.to; k++) {
    found.push({ time: k * step, text: (k * step * by).toFixed(digits).replace(/^-(0(\.0*)?)$/, '$1') });
  }
  return { unit, found };
}

function drawAxis(pen, theme) {
  const { unit, found } = ticks(), name = `${view.scale?.name ?? 'time'} (${unit})`;
  pen.fillStyle = theme.page;
  pen.fillRect(0, 0, view.width, AXIS);
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.fillStyle = theme.soft;
  pen.font = theme.font(12);
  pen.fillText(name, 8, 13);
  pen.strokeStyle = theme.line;
  pen.beginPath();
  pen.moveTo(view.gutter, AXIS - 8.5);
  pen.lineTo(view.width - PAD, AXIS - 8.5);
  const first = Math.max(view.gutter - 20, 16 + pen.measureText(name).width);
  let free = first;
  for (const { time, text } of found) {
    const x = Math.round(axisX(time)) + 0.5, half = pen.measureText(text).width / 2;
    pen.moveTo(x, AXIS - 8.5);
    pen.lineTo(x, AXIS - 3.5);
    const left = Math.min(Math.max(x - half, first), view.width - 2 * half - 2);
    if (left < free) continue;
    pen.fillText(text, left, 13);
    free = left + 2 * half + 12;
  }
  pen.stroke();
}

/** Faint lines through a trace's lanes at the axis' ticks. */
function drawGrid(pen, theme, y, height) {
  pen.strokeStyle = theme.line;
  pen.globalAlpha = 0.6;
  pen.beginPath();
  for (const { time } of ticks().found) {
    const x = Math.round(axisX(time)) + 0.5;
    pen.moveTo(x, y);
    pen.lineTo(x, y + height);
  }
  pen.stroke();
  pen.globalAlpha = 1;
}
