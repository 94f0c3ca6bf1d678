/** The rows of the picture: a lane per device, more where spans of a device overlap. */

const TOUCH = 0.01; // overlaps below this share of a span are clocks disagreeing

/** Lanes of a trace in device order, and for each row its lane and place; adds them to the trace.
 *
 *  A lane holds `rows` in the order they start; `boxes` (those that take time) and `ticks` (those
 *  that take none) with their times, in the same order.
 */
function addLanes(trace) {
  const one = sameNumbers(trace), homes = stagesOf(trace);
  trace.lanes = byDevice(trace).flatMap((rows, device) => tracks(trace, rows).map((own, track) =>
    lane(trace, own, device, track ? '' : label(trace, device, one, homes[device]))));
  trace.laneOf = new Int32Array(trace.rows);
  trace.placeOf = new Int32Array(trace.rows);
  trace.lanes.forEach((each, number) => each.rows.forEach((row, at) => {
    trace.laneOf[row] = number;
    trace.placeOf[row] = at;
  }));
}

/** Rows of every device by start; rows that start together keep the program's order. */
function byDevice(trace) {
  const counts = [];
  for (let row = 0; row < trace.rows; row++) counts[trace.device[row]] = (counts[trace.device[row]] ?? 0) + 1;
  const lists = Array.from(counts, (count) => new Int32Array(count ?? 0)), filled = lists.map(() => 0);
  for (let row = 0; row < trace.rows; row++) lists[trace.device[row]][filled[trace.device[row]]++] = row;
  for (const rows of lists) {
    const late = rows.some((row, i) => i && trace.start_s[row] < trace.start_s[rows[i - 1]]);
    if (late) rows.sort((a, b) => trace.start_s[a] - trace.start_s[b] || a - b);
  }
  return lists;
}

/** A device's rows as lists that do not overlap: each goes into the first that is free by then. */
function tracks(trace, rows) {
  const { start_s: start, end_s: end } = trace, free = [], which = new Int32Array(rows.length);
  const counts = [];
  rows.forEach((row, i) => {
    const slack = TOUCH * (end[row] - start[row]);
    let track = 0;
    while (track < free.length && free[track] > start[row] + slack) track++;
    free[track] = end[row];
    which[i] = track;
    counts[track] = (counts[track] ?? 0) + 1;
  });
  if (counts.length < 2) return counts.length ? [rows] : [];
  return counts.map((_, track) => rows.filter((_row, i) => which[i] === track));
}

function lane(trace, rows, device, name) {
  const { start_s: start, end_s: end } = trace;
  const boxes = rows.filter((row) => end[row] > start[row]);
  const ticks = boxes.length === rows.length ? new Int32Array(0) : rows.filter((row) => !(end[row] > start[row]));
  return {
    name, device, rows, boxes, ticks, rowStart: taken(start, rows), start: taken(start, boxes),
    end: taken(end, boxes), tickAt: taken(start, ticks)};
}

/** A column at some rows. */
function taken(column, rows) {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = column[rows[i]];
  return values;
}

/** Whether every device holds exactly the stage of its number. */
function sameNumbers(trace) {
  return trace.device === trace.stage || trace.device.every((device, row) => device === trace.stage[row]);
}

/** The stages of every device, ascending. */
function stagesOf(trace) {
  const found = [];
  for (let row = 0; row < trace.rows; row++) (found[trace.device[row]] ??= new Set()).add(trace.stage[row]);
  return found.map((stages) => [...stages].sort((a, b) => a - b));
}

function label(trace, device, one, stages) {
  if (one) return `stage ${device}`;
  const which = `stage${stages.length > 1 ? 's' : ''} ${stages.join(', ')}`;
  if (trace.workers === 1) return `device ${device}: ${which}`;
  return `worker ${Math.floor(device / trace.workerDevices)}, ${which}`;
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
