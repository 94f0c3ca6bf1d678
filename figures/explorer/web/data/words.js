/** What spans are called and how their numbers are written, wherever they appear. */

const OPS = ['F', 'B', 'I', 'W', 'U', 'SEND_F', 'RECV_F', 'SEND_B', 'RECV_B'];
let OP_WORDS; // what the operations are called, in the figures' own words

function takeNames(names) {
  OP_WORDS = OPS.map((op) => names[op]);
}

const [F, B, I, W, U] = [0, 1, 2, 3, 4];
const UNITS = [['s', 1], ['ms', 1e3], ['µs', 1e6], ['ns', 1e9]];

/** Whether an operation computes with a version of the weights (a weight half needs none). */
const readsWeights = (op) => op === F || op === B || op === I;
const isPass = (op) => op <= W;

/** The unit, and how many of it a second has, in which a time is at least 1. */
function unitFor(seconds) {
  const size = Math.abs(seconds);
  return size === 0 ? UNITS[0] : UNITS.find(([, by]) => size * by >= 1) ?? UNITS[UNITS.length - 1];
}

/** Seconds with a unit, seven digits at most: `1.25 ms`. */
function duration(seconds) {
  const [unit, scale] = unitFor(seconds);
  return `${short(seconds * scale, 7)} ${unit}`;
}

const short = (value, digits = 4) => String(Number(value.toPrecision(digits)));
/** A small number in little room. */
const brief = (value) => (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : short(value, 3));
const minibatchOf = (trace, row) => Math.floor(trace.index[row] / trace.microbatches) + 1;

/** Sim's text form of an instruction: `2F0`, `2B0-3`. */
function instruction(trace, row) {
  const first = trace.index[row], last = first + trace.count[row] - 1;
  const range = last > first ? `-${last}` : '';
  return `${trace.stage[row]}${OPS[trace.op[row]]}${first}${range}`;
}

/** The micro-batches of its mini-batch a span covers, or nothing where it covers all. */
function microbatches(trace, row) {
  if (trace.count[row] === trace.microbatches) return '';
  const first = trace.index[row] % trace.microbatches;
  return trace.count[row] === 1 ? `${first}` : `${first}–${first + trace.count[row] - 1}`;
}

/** What a box says: `F4`, with its micro-batch `F4.2`. */
function boxName(trace, row) {
  const micro = microbatches(trace, row);
  return `${OPS[trace.op[row]]}${minibatchOf(trace, row)}${micro && `.${micro}`}`;
}

/** SpecTrain's time unit of the version a pass read: its own where that version was still the
 *  newest, else the last one in which it was; 0 where time units are undefined.
 *  Source: Chen et al. 2018 (SpecTrain), Figure 3. */
function timeUnit(trace, row) {
  const op = trace.op[row], stage = trace.stage[row];
  if (!trace.timeUnits || (op !== F && op !== B)) return 0;
  const half = Math.floor(stage / 2), minibatch = minibatchOf(trace, row);
  const own = minibatch + (op === F ? Math.floor((stage + 1) / 2) : trace.stages - 1 - half);
  return Math.min(own, trace.version_read[row] + trace.stages - half);
}

/** SpecTrain's label of the version a pass reads, `W4`, or nothing where it is undefined. */
function unitLabel(trace, row) {
  const unit = timeUnit(trace, row);
  return unit ? `W${unit}` : '';
}

/** Both labels of the version read: `W4 · v1`, or `v1` alone. */
function versionLabel(trace, row) {
  if (!readsWeights(trace.op[row])) return '';
  const unit = unitLabel(trace, row);
  return `${unit && `${unit} · `}v${trace.version_read[row]}`;
}

/** Every fact of a span as `[key, name, text]`; keys are the trace's columns where they exist. */
function factsOf(trace, row) {
  const op = trace.op[row], micro = microbatches(trace, row);
  const facts = [
    ['minibatch', 'mini-batch', String(minibatchOf(trace, row))],
    ...(micro ? [['microbatch', 'micro-batch', micro]] : []),
    ['stage', 'stage', String(trace.stage[row])],
    ['device', 'device', String(trace.device[row])],
    ['start_s', 'start', duration(trace.start_s[row])],
    ['duration_s', 'duration', duration(trace.end_s[row] - trace.start_s[row])]];
  if (op === U) {
    facts.push(['version_applied', 'steps version', `v${trace.version_applied[row]}`],
      ['version_made', 'makes version', `v${trace.version_applied[row] + 1}`]);
  }
  return readsWeights(op) ? facts.concat(weightFacts(trace, row)) : facts;
}

function weightFacts(trace, row) {
  const late = trace.staleness[row], effective = trace.effective_staleness[row];
  const distance = trace.weight_distance[row], unit = unitLabel(trace, row);
  return [
    ['version_read', 'version read', `v${trace.version_read[row]}`],
    ...(unit ? [['version_time_unit', 'by time unit', unit]] : []),
    ['version_applied', 'version applied', `v${trace.version_applied[row]}`],
    ['staleness', 'staleness', updates(late)],
    ...(effective !== late ? [['effective_staleness', 'effective', updates(effective)]] : []),
    ['weight_distance', 'weight distance',
      Number.isNaN(distance) ? 'not measured' : `${short(distance)} (relative)`]];
}

const updates = (count) => `${short(count)} update${count === 1 ? '' : 's'}`;

/** A span in one sentence, for a screen reader. */
function sentence(trace, row) {
  const facts = factsOf(trace, row).map(([, name, text]) => `${name} ${text}`);
  return `${boxName(trace, row)}, ${OP_WORDS[trace.op[row]]}: ${facts.join(', ')}`;
}
