/** What a device holds over time, added up from the changes at its rows' ends (see held.py). */

const HELD_KINDS = ['weights', 'stash', 'copies', 'activations'];

/** A device's step functions, made when first asked for: `time`, ascending, and from each the bytes
 *  of every kind, `total` of them, `versions` (weight sets) and `flight` (micro-batches). */
function holdingOf(trace, device) {
  trace.holding ??= new Map();
  if (!trace.holding.has(device)) trace.holding.set(device, addUp(trace, device));
  return trace.holding.get(device);
}

/** Devices that are known to hold something: of several workers those of the first. */
const holders = (trace) => (trace.heldUnknown ? [] : [...new Set(trace.lanes.map((lane) => lane.device))]
  .filter((device) => device < trace.workerDevices));

function addUp(trace, device) {
  const { sizes } = trace, own = trace.lanes.filter((lane) => lane.device === device);
  const stages = new Set(own.flatMap((lane) => Array.from(new Set(lane.rows.map((row) => trace.stage[row])))));
  const ends = inTurn(trace, own.map((lane) => lane.rows)), size = ends.length + 1;
  const held = { time: new Float64Array(size), versions: new Int32Array(size), flight: new Int32Array(size),
    total: new Float64Array(size) };
  for (const kind of HELD_KINDS) held[kind] = new Float64Array(size);
  const weights = [...stages].reduce((sum, stage) => sum + sizes.weights[stage], 0);
  held.weights.fill(weights);
  held.versions[0] = stages.size;
  held.total[0] = weights;
  const [sets, copies, kept, again] = changesOf(trace);
  for (let i = 1; i < size; i++) {
    const end = ends[i - 1], row = end >> 1, side = end & 1, stage = trace.stage[row];
    held.time[i] = (side ? trace.end_s : trace.start_s)[row];
    held.versions[i] = held.versions[i - 1] + sets[side][row];
    held.flight[i] = held.flight[i - 1] + kept[side][row];
    held.stash[i] = held.stash[i - 1] + sets[side][row] * sizes.weights[stage];
    held.copies[i] = held.copies[i - 1] + copies[side][row] * sizes.weights[stage];
    held.activations[i] = held.activations[i - 1] + kept[side][row] * sizes.kept[stage] + again[side][row] * sizes.again[stage];
    held.total[i] = weights + held.stash[i] + held.copies[i] + held.activations[i];
  }
  return held;
}

/** The columns of changes, for each kind those at starts and those at ends. */
const changesOf = (trace) => ['sets', 'copies', 'kept', 'again'].map((kind) =>
  [trace[`${kind}_at_start`], trace[`${kind}_at_end`]]);

/** The ends of rows at which something changes, in turn: `2·row` for a start, `2·row + 1` for an
 *  end; those at one time in the order of the rows. */
function inTurn(trace, lists) {
  const ends = new Int32Array(2 * lists.reduce((sum, rows) => sum + rows.length, 0));
  const [sets, copies, kept, again] = changesOf(trace);
  let size = 0, last = -Infinity, sorted = true;
  for (const rows of lists) {
    for (const row of rows) {
      for (let end = 0; end < 2; end++) {
        if (!(sets[end][row] || copies[end][row] || kept[end][row] || again[end][row])) continue;
        const time = end ? trace.end_s[row] : trace.start_s[row];
        sorted &&= time >= last;
        last = time;
        ends[size++] = 2 * row + end;
      }
    }
  }
  const found = ends.subarray(0, size);
  const time = (end) => (end & 1 ? trace.end_s : trace.start_s)[end >> 1];
  return sorted ? found : found.sort((a, b) => time(a) - time(b) || a - b);
}

/** Where in a holding a time lies: the last change at or before it. */
const momentOf = (held, time) => Math.max(0, upper(held.time, time) - 1);

/** The most a column of a holding reaches. */
function peakOf(held, name) {
  held.peaks ??= {};
  held.peaks[name] ??= held[name].reduce((most, value) => Math.max(most, value), 0);
  return held.peaks[name];
}
