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
  const stages = new Set(own.flatMap((lane) => [...new Set(lane.rows.map((row) => trace.stage[row]))]));
  const ends = inTurn(trace, own.map((lane) => lane.rows));
  const held = { time: new Float64Array(ends.length + 1), versions: new Int32Array(ends.length + 1),
    flight: new Int32Array(ends.length + 1), total: new Float64Array(ends.length + 1) };
  for (const kind of HELD_KINDS) held[kind] = new Float64Array(ends.length + 1);
  let versions = stages.size, flight = 0, stash = 0, copies = 0, activations = 0;
  const weights = [...stages].reduce((sum, stage) => sum + sizes.weights[stage], 0);
  const put = (i, time) => {
    held.time[i] = time;
    held.versions[i] = versions;
    held.flight[i] = flight;
    held.weights[i] = weights;
    held.stash[i] = stash;
    held.copies[i] = copies;
    held.activations[i] = activations;
    held.total[i] = weights + stash + copies + activations;
  };
  put(0, 0);
  ends.forEach((end, i) => {
    const row = end >> 1, stage = trace.stage[row], at = end & 1 ? 'end' : 'start';
    const sets = trace[`sets_at_${at}`][row], kept = trace[`kept_at_${at}`][row];
    versions += sets;
    flight += kept;
    stash += sets * sizes.weights[stage];
    copies += trace[`copies_at_${at}`][row] * sizes.weights[stage];
    activations += kept * sizes.kept[stage] + trace[`again_at_${at}`][row] * sizes.again[stage];
    put(i + 1, end & 1 ? trace.end_s[row] : trace.start_s[row]);
  });
  return held;
}

/** The ends of rows at which something changes, in turn: `2·row` for a start, `2·row + 1` for an
 *  end; those at one time in the order of the rows. */
function inTurn(trace, lists) {
  const ends = new Int32Array(2 * lists.reduce((sum, rows) => sum + rows.length, 0));
  const changes = ['sets', 'copies', 'kept', 'again'].map((kind) => [trace[`${kind}_at_start`], trace[`${kind}_at_end`]]);
  let size = 0, last = -Infinity, sorted = true;
  for (const rows of lists) {
    for (const row of rows) {
      for (let end = 0; end < 2; end++) {
        if (!changes.some((pair) => pair[end][row])) continue;
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
