/** The legend of the colours in use, as a list: every colour on the screen is in it. */

/** Swatches `[colour, text]` of a mode; a scale is drawn apart.  `crowded`: some lane shows shares
 *  and means instead of single spans. */
function swatches(name, mode, traces, dark, crowded) {
  const used = (op) => traces.some((trace) => trace.op.includes(op));
  if (name === 'pass') {
    const passes = [F, B, I, W, U].filter(used).map((op) => [PASS[op], OP_WORDS[op]]);
    return OPS.some((_, op) => op > U && used(op)) ? [...passes, [MESSAGE, 'message']] : passes;
  }
  if (name === 'minibatch') return cycleSwatches(mode.block);
  const { top, whole } = mode;
  if (name === 'staleness' && whole && top !== null && top < CLASSES && !crowded) {
    return Array.from({ length: top + 1 }, (_, late) =>
      [scale(top ? late / top : 0, dark), late ? String(late) : 'staleness 0'])
      .concat([[null, 'updates']]);
  }
  return null;
}

function cycleSwatches(block) {
  const text = (i) => (block === 1 ? String(i + 1) : `${i * block + 1}–${(i + 1) * block}`);
  return CYCLE.map((colour, i) => [colour, i ? text(i) : `mini-batch${block > 1 ? 'es' : ''} ${text(0)}`])
    .concat([[null, `… repeats every ${CYCLE.length * block}`]]);
}

const NOTES = {
  pass: 'zoomed out: height is the share of busy time, split by pass',
  minibatch: 'zoomed out: height is the share of busy time, split by mini-batch',
  staleness: 'zoomed out: colour is the mean staleness, height the share of busy time',
  distance: 'zoomed out: colour is the mean distance, height the share of busy time' };

function drawLegend(list, name, mode, traces, dark, crowded) {
  const found = swatches(name, mode, traces, dark, crowded);
  const items = found ? found.map(([colour, text]) => item(colour && swatch([colour]), text))
    : scaleItems(name, mode, dark);
  const valued = name === 'staleness' || name === 'distance';
  if (valued) items.push(item(swatch([NONE]), 'reads no weights or not measured'));
  if (name !== 'pass' && traces.some((trace) => trace.lanes.some((lane) => lane.ticks.length))) {
    items.push(item(swatch([PASS[U]], 3), 'update'));
  }
  if (name === 'pass' && traces.some((trace) => trace.chunks > 1)) {
    items.push(item(null, 'darker: later chunks of a device'));
  }
  if (traces.some(hasWaits)) items.push(item(waitSign(), 'idle while a message is under way'));
  const note = item(null, NOTES[name]);
  note.id = 'mean';
  note.hidden = !crowded;
  list.replaceChildren(...items, note);
}

function scaleItems(name, { top, clipped }, dark) {
  const what = name === 'staleness' ? 'staleness' : 'weight distance';
  if (top === null) return [item(null, `${what}: not measured in these traces (they trained nothing)`)];
  const unit = name === 'staleness' ? 'updates' : '(relative)';
  const ramp = swatch(Array.from({ length: 100 }, (_, i) => scale(i / 99, dark)), 100);
  const end = document.createElement('span');
  end.textContent = `${clipped ? '≥ ' : ''}${short(top, 3)} ${unit}`;
  const whole = item(null, `${what} 0`);
  whole.append(ramp, end);
  return [whole];
}

function item(sign, text) {
  const entry = document.createElement('li'), words = document.createElement('span');
  words.textContent = text;
  entry.append(...(sign ? [sign] : []), words);
  return entry;
}

function swatch(colours, width = 14) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = 12;
  canvas.setAttribute('aria-hidden', 'true');
  const pen = canvas.getContext('2d');
  colours.forEach((rgb, i) => {
    pen.fillStyle = css(rgb);
    pen.fillRect((i * width) / colours.length, 0, Math.ceil(width / colours.length), 12);
  });
  return canvas;
}

function waitSign() {
  const canvas = swatch([], 20), pen = canvas.getContext('2d');
  drawWait(pen, 1, 19, 6);
  return canvas;
}
