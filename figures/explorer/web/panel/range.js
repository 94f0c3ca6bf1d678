/** What a measured stretch holds: its length, passes, busy devices and finished mini-batches. */

/** Moments at which the mini-batches of a trace are done, ascending, in its own seconds. */
function doneAt(trace) {
  if (!trace.doneAt) {
    trace.doneAt = new Float64Array(trace.minibatches);
    for (let row = 0; row < trace.rows; row++) {
      const i = minibatchOf(trace, row) - 1;
      trace.doneAt[i] = Math.max(trace.doneAt[i], trace.end_s[row]);
    }
    trace.doneAt.sort();
  }
  return trace.doneAt;
}

/** What of a trace lies in a stretch of its own seconds: `whole`, passes and updates by operation
 *  that lie in it entirely; `cut`, those at its edges; `devices`, `[device, name, busy share]`;
 *  `done`, mini-batches whose last instruction ends in it. */
function measured(trace, from, to) {
  const whole = new Int32Array(OPS.length), devices = new Map();
  let cut = 0;
  for (const lane of trace.lanes) {
    const { ticks, tickAt } = lane, { name, lanes } = devices.get(lane.device) ?? { name: lane.name, lanes: [] };
    devices.set(lane.device, { name, lanes: [...lanes, lane] });
    cut += countBoxes(trace, lane, from, to, whole);
    for (let i = upper(tickAt, from) - 1; i < ticks.length && !(tickAt[i] > to); i++) {
      if (tickAt[i] >= from) whole[trace.op[ticks[i]]]++;
    }
  }
  const times = doneAt(trace);
  return { whole, cut, done: upper(times, to) - upper(times, from),
    devices: [...devices].map(([device, { name, lanes }]) =>
      [device, name, busySeconds(trace, lanes, from, to) / (to - from)]) };
}

/** Count a lane's boxes that lie in a stretch entirely by operation; gives how many are cut. */
function countBoxes(trace, { boxes, start, end }, from, to, whole) {
  const first = upper(end, from), stop = upper(start, to), { op } = trace;
  let cut = 0;
  for (let i = first; i < stop; i++) {
    if (start[i] >= from && end[i] <= to) whole[op[boxes[i]]]++;
    else if (start[i] < to) cut++;
  }
  return cut;
}

/** Seconds in which a device with these lanes computes between two times. */
function busySeconds(trace, lanes, from, to) {
  const spans = [], { op } = trace;
  let seconds = 0;
  for (const { boxes, start, end } of lanes) {
    const first = upper(end, from), stop = upper(start, to), alone = lanes.length === 1;
    for (let i = first; i < stop; i++) {
      if (op[boxes[i]] > U) continue; // a message keeps no device busy
      const left = start[i] > from ? start[i] : from, right = end[i] < to ? end[i] : to;
      if (alone) seconds += right - left;
      else spans.push(left, right);
    }
  }
  return lanes.length > 1 ? covered(spans) : seconds;
}

/** Seconds covered by `[start, end, start, end, …]`, which may overlap. */
function covered(spans) {
  const order = Array.from({ length: spans.length / 2 }, (_, i) => 2 * i).sort((a, b) => spans[a] - spans[b]);
  let seconds = 0, reached = -Infinity;
  for (const i of order) {
    seconds += Math.max(0, spans[i + 1] - Math.max(spans[i], reached));
    reached = Math.max(reached, spans[i + 1]);
  }
  return seconds;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** Fill the panel's section of the measured stretch. */
function showRange(section, traces, range, acts) {
  section.hidden = !range;
  if (!range) return;
  const title = document.createElement('h2'), row = document.createElement('div');
  title.textContent = `Measured ${lengthText(range.to - range.from)}`;
  row.className = 'actions';
  row.append(button('Zoom to it', () => acts.fill([range.from, range.to])),
    button('Clear', () => acts.measure(null)));
  section.replaceChildren(title, row, ...unfolded(traces).map((trace) =>
    rangePart(trace, ownTime(trace, range.from), ownTime(trace, range.to), traces.length > 1)));
}

function rangePart(trace, from, to, several) {
  const part = document.createElement('div'), list = document.createElement('dl');
  const { whole, cut, devices, done } = measured(trace, from, to);
  if (several) part.append(heading(trace.name));
  const ops = [...whole.keys()].filter((op) => whole[op]);
  list.append(
    ...line('range_from', 'from', duration(from)), ...line('range_to', 'to', duration(to)),
    ...line('range_length', 'length', duration(to - from)),
    ...line('range_passes', 'within', ops.map((op) => `${whole[op]} ${OPS[op]}`).join(', ') || 'no whole span'),
    ...(cut ? line('range_cut', 'cut by its edges', `${cut} span${cut > 1 ? 's' : ''}`) : []),
    ...line('range_done', 'mini-batches done', done && to > from ? `${done} (${rate(done / (to - from))})` : String(done)));
  part.append(list);
  if (to > from) part.append(busyTable(devices));
  return part;
}

/** So many a second, a minute or an hour, whichever is at least 1. */
function rate(perSecond) {
  const [name, by] = [['s', 1], ['min', 60]].find(([, times]) => perSecond * times >= 1) ?? ['h', 3600];
  return `${short(perSecond * by, 3)} / ${name}`;
}

/** Busy shares of the devices: mean, and a bar each. */
function busyTable(devices) {
  const table = document.createElement('table'), body = document.createElement('tbody');
  const mean = devices.reduce((sum, [, , share]) => sum + share, 0) / devices.length;
  table.className = 'busy';
  const rows = devices.length > 1 ? [...devices, [null, 'all devices', mean]] : devices;
  for (const [, name, share] of rows) {
    const tr = document.createElement('tr'), bar = document.createElement('span');
    bar.className = 'bar';
    bar.style.width = `${100 * Math.min(1, share)}%`;
    for (const inside of [name, bar, `${percent(share)} busy`]) {
      const cell = document.createElement('td');
      cell.append(inside);
      tr.append(cell);
    }
    body.append(tr);
  }
  table.append(body);
  return table;
}
