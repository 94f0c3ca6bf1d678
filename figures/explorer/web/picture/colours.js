/** What colours mean: by pass, staleness, weight distance or mini-batch.
 *
 *  A mode has `of(trace, row)`, the [r, g, b] of a span, and what a column of pixels over many
 *  spans needs: `add` puts a span's seconds into `size` running sums, `parts` makes of such sums
 *  colours and the seconds each is worth.  Where a colour stands for a number, the number is
 *  averaged and then coloured, never the colour: every colour on the screen is in the legend.
 */

const NONE = [167, 172, 178];
const hex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
let PASS, MESSAGE; // the figures' own colours of passes: one thing looks the same everywhere

function takeColours(colours) {
  PASS = OPS.map((op) => hex(colours[op]));
  MESSAGE = PASS[OPS.indexOf('SEND_F')];
}

// Okabe & Ito's palette and viridis, both made for every common colour blindness
const CYCLE = ['#E69F00', '#56B4E9', '#009E73', '#F0E442', '#0072B2', '#D55E00', '#CC79A7'].map(hex);
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const DARKER = 0.4; // the share of its light a device's last chunk loses
const CLASSES = 6; // at most this many whole stalenesses get a colour and a name each
const RAMP = 256; // steps of a scale

const LINEAR = Float64Array.from({ length: 256 }, (_, v) =>
  (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));

/** Viridis at a share of its length, without the end that the page would swallow: more stands out
 *  further from the page, light or dark. */
function scale(share, dark) {
  const step = Math.round(share * (RAMP - 1)) / (RAMP - 1);
  const along = dark ? 0.2 + 0.8 * step : 0.94 * (1 - step);
  const place = along * (VIRIDIS.length - 1), low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((v, c) => Math.round(v + (VIRIDIS[low + 1][c] - v) * (place - low)));
}

/** The finite values of a column over the passes of all traces, in ascending order. */
function finite(traces, name) {
  const values = new Float64Array(traces.reduce((sum, trace) => sum + trace.rows, 0));
  let size = 0;
  for (const trace of traces) {
    const column = trace[name];
    for (let row = 0; row < trace.rows; row++) {
      if (readsWeights(trace.op[row]) && Number.isFinite(column[row])) values[size++] = column[row];
    }
  }
  return values.subarray(0, size).sort();
}

/** Top of a column's scale (`beyond`: the share of passes that may lie above it), whether any
 *  does, and whether all values are whole; top is null where nothing was measured. */
function scaleOf(traces, name, beyond) {
  const values = finite(traces, name);
  if (!values.length) return { top: null, clipped: false, whole: false };
  const top = values[Math.floor((values.length - 1) * (1 - beyond))];
  return { top, clipped: values[values.length - 1] > top, whole: values.every(Number.isInteger) };
}

/** Colour by a number of each span: a span's sums are seconds without the number, seconds with
 *  it, and seconds × number. */
function byValue(traces, name, beyond, dark) {
  const { top, clipped, whole } = scaleOf(traces, name, beyond);
  const ramp = Array.from({ length: RAMP }, (_, i) => scale(i / (RAMP - 1), dark));
  const packed = Uint32Array.from(ramp, pack), none = pack(NONE);
  const step = (value) => (top > 0 ? Math.round(Math.min(1, value / top) * (RAMP - 1)) : 0);
  const known = (trace, row) => readsWeights(trace.op[row]) && Number.isFinite(trace[name][row]);
  return {
    top, clipped, whole, size: 3,
    of: (trace, row) => (known(trace, row) ? ramp[step(trace[name][row])] : NONE),
    add(trace, row, seconds, sums, at) {
      if (known(trace, row)) {
        sums[at + 1] += seconds;
        sums[at + 2] += seconds * trace[name][row];
      } else sums[at] += seconds;
    },
    parts(sums, colours, seconds) {
      colours[0] = packed[sums[1] > 0 ? step(Math.max(0, sums[2] / sums[1])) : 0];
      seconds[0] = sums[1];
      colours[1] = none;
      seconds[1] = sums[0];
      return 2;
    }};
}

/** Colour by a kind of each span: its sums are the seconds of every kind. */
function byKind(kinds, kindOf, of) {
  const packed = Uint32Array.from(kinds, pack);
  return {
    size: kinds.length, of,
    add(trace, row, seconds, sums, at) { sums[at + kindOf(trace, row)] += seconds; },
    parts(sums, colours, seconds) {
      for (let kind = 0; kind < packed.length; kind++) {
        colours[kind] = packed[kind];
        seconds[kind] = sums[kind];
      }
      return packed.length;
    }};
}

/** The modes by name; made when first asked for, since a scale looks at every span. */
function colourModes(traces, dark) {
  const makers = {
    pass: () => byKind([...PASS.slice(0, 5), MESSAGE], (trace, row) => Math.min(trace.op[row], 5),
      (trace, row) => shade(PASS[trace.op[row]], chunkOf(trace, row))),
    staleness: () => byValue(traces, 'staleness', 0, dark),
    distance: () => byValue(traces, 'weight_distance', 0.05, dark),
    minibatch: byMinibatch};
  const made = {};
  return (name) => (made[name] ??= makers[name]());
}

/** Colour by mini-batch, or by blocks of `block` of them where one alone could not be seen. */
function byMinibatch() {
  const mode = { block: 1 };
  const kindOf = (trace, row) => Math.floor((minibatchOf(trace, row) - 1) / mode.block) % CYCLE.length;
  return Object.assign(mode, byKind(CYCLE, kindOf, (trace, row) => CYCLE[kindOf(trace, row)]));
}

/** How far up a device's chunks a row's stage is: 0 the first, 1 the last. */
function chunkOf(trace, row) {
  if (trace.chunks === 1) return 0;
  return Math.floor(trace.stage[row] / trace.workerDevices) / (trace.chunks - 1);
}

const shade = (rgb, share) => (share ? rgb.map((v) => Math.round(v * (1 - DARKER * share))) : rgb);
const css = (rgb) => `rgb(${rgb.join(' ')})`;
/** A colour as the four bytes of a pixel. */
const pack = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Black or white, whichever reads better on a colour. */
function inkOn(rgb) {
  const light = 0.2126 * LINEAR[rgb[0]] + 0.7152 * LINEAR[rgb[1]] + 0.0722 * LINEAR[rgb[2]];
  return light > 0.18 ? '#000000' : '#ffffff';
}
