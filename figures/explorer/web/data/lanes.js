/** The rows of the picture: a lane per device, more where spans of a device overlap. */

const TOUCH = 0.01; // overlaps below this share of a span are clocks disagreeing

/** Lanes of a trace in device order, and for each row its lane and place; adds them to the trace.
 *
 *  A lane holds `rows` in the order they start; `boxes` (those that take time) and `ticks` (those
 *  that take none) with their times, in the same order.
 */
function addLanes(trace) {
  const devices = new Map();
  for (const row of byStart(trace)) {
    const device = trace.device[row];
    if (!devices.has(device)) devices.set(device, []);
    place(trace, row, devices.get(device));
  }
  const one = sameNumbers(trace);
  trace.lanes = [...devices.keys()].sort((a, b) => a - b).flatMap((device) =>
    devices.get(device).map((rows, track) => lane(trace, rows, track ? '' : label(trace, device, one))));
  trace.laneOf = new Int32Array(trace.rows);
  trace.placeOf = new Int32Array(trace.rows);
  trace.lanes.forEach((each, number) => each.rows.forEach((row, at) => {
    trace.laneOf[row] = number;
    trace.placeOf[row] = at;
  }));
}

/** All rows by start; rows that start together keep the program's order. */
function byStart(trace) {
  const rows = Array.from({ length: trace.rows }, (_, row) => row);
  return rows.sort((a, b) => trace.start_s[a] - trace.start_s[b] || a - b);
}

/** Put a row into the first track of its device that is free by then. */
function place(trace, row, tracks) {
  const slack = TOUCH * (trace.end_s[row] - trace.start_s[row]);
  let track = tracks.find((rows) => rows.free <= trace.start_s[row] + slack);
  if (!track) {
    track = [];
    tracks.push(track);
  }
  track.push(row);
  track.free = trace.end_s[row];
}

function lane(trace, rows, name) {
  const takes = (row) => trace.end_s[row] > trace.start_s[row];
  const boxes = rows.filter(takes), ticks = rows.filter((row) => !takes(row));
  const times = (list, column) => Float64Array.from(list, (row) => column[row]);
  return {
    name, rows: Int32Array.from(rows), boxes: Int32Array.from(boxes), ticks: Int32Array.from(ticks),
    rowStart: times(rows, trace.start_s), start: times(boxes, trace.start_s),
    end: times(boxes, trace.end_s), tickAt: times(ticks, trace.start_s)};
}

/** Whether every device holds exactly the stage of its number. */
function sameNumbers(trace) {
  return trace.device.every((device, row) => device === trace.stage[row]);
}

function label(trace, device, one) {
  if (one) return `stage ${device}`;
  const worker = trace.workers > 1 ? `worker ${Math.floor(device / trace.workerDevices)}, ` : '';
  const stages = new Set();
  trace.device.forEach((each, row) => { if (each === device) stages.add(trace.stage[row]); });
  const list = [...stages].sort((a, b) => a - b);
  const which = `stage${list.length > 1 ? 's' : ''} ${list.join(', ')}`;
  return worker ? worker + which : `device ${device}: ${which}`;
}

/** Rows of every mini-batch: those of `i` are `rows[from[i]] … rows[from[i + 1] - 1]`. */
function addMinibatches(trace) {
  const from = new Int32Array(trace.minibatches + 2), rows = new Int32Array(trace.rows);
  for (let row = 0; row < trace.rows; row++) from[minibatchOf(trace, row) + 1]++;
  for (let i = 1; i < from.length; i++) from[i] += from[i - 1];
  const next = from.slice();
  for (let row = 0; row < trace.rows; row++) rows[next[minibatchOf(trace, row)]++] = row;
  trace.byMinibatch = { from, rows };
}

function rowsOf(trace, minibatch) {
  const { from, rows } = trace.byMinibatch;
  return minibatch > trace.minibatches ? [] : [...rows.subarray(from[minibatch], from[minibatch + 1])];
}

/** Where `value` would go in ascending `values`: the number of entries ≤ it, from `low` on. */
function upper(values, value, low = 0) {
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
