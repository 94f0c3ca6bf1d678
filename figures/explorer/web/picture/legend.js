/** The legend of the colours in use, as a list. */

/** Swatches `[colour, text]` of a mode; a scale is drawn apart. */
function swatches(mode, modes, traces, dark) {
  const used = (op) => traces.some((trace) => trace.op.includes(op));
  if (mode === 'pass') {
    return [[PASS[F], 'forward'], [PASS[B], 'backward'], [PASS[I], 'backward, input half'],
      [PASS[W], 'backward, weight half'], [PASS[U], 'update'], [GREY, 'message']]
      .filter((_, op) => (op < 5 ? used(op) : [5, 6, 7, 8].some(used)));
  }
  if (mode === 'minibatch') {
    return CYCLE.map((colour, i) => [colour, i ? String(i + 1) : 'mini-batch 1'])
      .concat([[null, `… repeats every ${CYCLE.length}`]]);
  }
  const { top, whole } = modes.staleness;
  if (mode === 'staleness' && whole && top !== null && top < CLASSES) {
    return Array.from({ length: top + 1 }, (_, late) =>
      [scale(top ? late / top : 0, dark), late ? String(late) : 'staleness 0'])
      .concat([[null, 'updates']]);
  }
  return null;
}

function drawLegend(list, mode, modes, traces, dark) {
  const found = swatches(mode, modes, traces, dark);
  const items = found ? found.map(([colour, text]) => item(colour && swatch([colour]), text))
    : scaleItems(mode, modes[mode], dark);
  if (mode === 'staleness' || mode === 'distance') items.push(item(swatch([NONE]), 'reads no weights or not measured'));
  if (mode !== 'pass' && traces.some((trace) => trace.lanes.some((lane) => lane.ticks.length))) {
    items.push(item(swatch([PASS[U]], 3), 'update'));
  }
  if (mode === 'pass' && traces.some((trace) => trace.chunks > 1)) {
    items.push(item(null, 'darker: later chunks of a device'));
  }
  if (traces.some(hasWaits)) items.push(item(waitSign(), 'idle while a message is under way'));
  const note = item(null, 'a pixel with many spans shows their mean colour');
  note.id = 'mean';
  list.replaceChildren(...items, note);
}

function scaleItems(mode, { top, clipped }, dark) {
  const name = mode === 'staleness' ? 'staleness' : 'weight distance';
  if (top === null) return [item(null, `${name}: not measured in these traces (they trained nothing)`)];
  const unit = mode === 'staleness' ? 'updates' : '(relative)';
  const ramp = swatch(Array.from({ length: 100 }, (_, i) => scale(i / 99, dark)), 100);
  const end = document.createElement('span');
  end.textContent = `${clipped ? '≥ ' : ''}${short(top, 3)} ${unit}`;
  const whole = item(null, `${name} 0`);
  whole.append(ramp, end);
  return [whole];
}

function item(sign, text) {
  const line = document.createElement('li'), words = document.createElement('span');
  words.textContent = text;
  line.append(...(sign ? [sign] : []), words);
  return line;
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
