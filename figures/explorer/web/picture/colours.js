/** What colours mean: by pass, staleness, weight distance or mini-batch.
 *
 *  Okabe & Ito's palette and viridis, both made for every common colour blindness; the scale runs
 *  so that more stands out further from the page, light or dark.
 */

const SKY = [86, 180, 233], ORANGE = [230, 159, 0], VERMILION = [213, 94, 0];
const YELLOW = [240, 228, 66], GREEN = [0, 158, 115], BLUE = [0, 114, 178];
const PURPLE = [204, 121, 167], GREY = [140, 140, 140], NONE = [167, 172, 178];
const PASS = [SKY, ORANGE, VERMILION, YELLOW, GREEN, GREY, GREY, GREY, GREY];
const CYCLE = [ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE];
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const DARKER = 0.4; // the share of its light a device's last chunk loses
const CLASSES = 6; // at most this many whole stalenesses get a colour and a name each

/** Viridis at a share of its length, without the end that the page would swallow. */
function scale(share, dark) {
  const along = dark ? 0.2 + 0.8 * share : 0.94 * (1 - share);
  const place = along * (VIRIDIS.length - 1), low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((v, c) => Math.round(v + (VIRIDIS[low + 1][c] - v) * (place - low)));
}

/** The largest finite value of a column over the passes of all traces, leaving out `beyond` of
 *  them; null where there is none. */
function largest(traces, name, beyond = 0) {
  const values = [];
  for (const trace of traces) {
    trace[name].forEach((value, row) => {
      if (readsWeights(trace.op[row]) && Number.isFinite(value)) values.push(value);
    });
  }
  if (!values.length) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor((sorted.length - 1) * (1 - beyond))];
}

/** How each mode colours a row, `of(trace, row)`, with what its legend needs. */
function colourModes(traces, dark) {
  const measure = (name, beyond) => {
    const top = largest(traces, name, beyond), last = largest(traces, name);
    return {
      top, clipped: last > top,
      of: (trace, row) => {
        const value = trace[name][row];
        if (!readsWeights(trace.op[row]) || !Number.isFinite(value)) return NONE;
        return scale(top > 0 ? Math.min(1, value / top) : 0, dark);
      }};
  };
  return {
    pass: { of: (trace, row) => shade(PASS[trace.op[row]], chunkOf(trace, row)) },
    staleness: { ...measure('staleness', 0), whole: wholeNumbers(traces) },
    distance: measure('weight_distance', 0.05),
    minibatch: { of: (trace, row) => CYCLE[(minibatchOf(trace, row) - 1) % CYCLE.length] }};
}

/** How far up a device's chunks a row's stage is: 0 the first, 1 the last. */
function chunkOf(trace, row) {
  if (trace.chunks === 1) return 0;
  return Math.floor(trace.stage[row] / trace.workerDevices) / (trace.chunks - 1);
}

const shade = (rgb, share) => (share ? rgb.map((v) => Math.round(v * (1 - DARKER * share))) : rgb);

function wholeNumbers(traces) {
  return traces.every((trace) => trace.staleness.every(Number.isInteger));
}

const css = (rgb) => `rgb(${rgb.join(' ')})`;

/** Black or white, whichever reads better on a colour. */
function inkOn(rgb) {
  const light = 0.2126 * LINEAR[rgb[0]] + 0.7152 * LINEAR[rgb[1]] + 0.0722 * LINEAR[rgb[2]];
  return light > 0.18 ? '#000000' : '#ffffff';
}
