/** Counters below a trace's lanes: what its devices hold over time, a track each.
 *
 *  A pixel under which much happens shows the most that was held in it.
 */

const HEAD = 20, TRACK = 36, TRACK_GAP = 3;
const GROUPS = [['memory', 'memory'], ['versions', 'weight versions held'],
  ['flight', 'micro-batches in flight']];
const BYTES = [['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ['B', 1]];
const COLUMN = { memory: 'total', versions: 'versions', flight: 'flight' };
const openGroups = new Set(); // the groups that are unfolded, in every trace

/** What lies below a trace's lanes: `{ group, name, device, x, y, width, height }`, heads without a
 *  device; `y` counts from the end of the lanes.  Heads of folded groups share a line. */
function tracksOf(trace) {
  const devices = holders(trace), found = [];
  let x = 8, y = 4;
  for (const [group, name] of devices.length ? groupsOf(state.all) : []) {
    if (openGroups.has(group) && x > 8) [x, y] = [8, y + HEAD];
    const width = headWidth(name);
    found.push({ group, name, device: null, x, y, width, height: HEAD });
    x += width + 20;
    if (!openGroups.has(group)) continue;
    [x, y] = [8, y + HEAD];
    for (const device of devices) {
      found.push({ group, name: homeName(trace, device), device, x: 0, y, width: Infinity, height: TRACK });
      y += TRACK + TRACK_GAP;
    }
  }
  return found;
}

const headPen = document.createElement('canvas').getContext('2d'), headText = (group, name) => `${openGroups.has(group) ? '▾' : '▸'} ${name}`;

/** Pixels of a group's head. */
function headWidth(name) {
  headPen.font = theme.font(12, true);
  return headPen.measureText(`▸ ${name}`).width;
}

/** The groups there is something of: bytes only where a trace says how large anything is. */
const groupsOf = (traces) => GROUPS.filter(([group]) => group !== 'memory'
  || traces.some((trace) => trace.summary.peak_bytes.some((bytes) => bytes > 0)));

/** Pixels that a trace's counters take below its lanes. */
function counterHeight(trace) {
  const last = tracksOf(trace).at(-1);
  return last ? last.y + last.height + 4 : 0;
}

/** What a device is called where its lane already says what it holds. */
function homeName(trace, device) {
  const name = trace.lanes.find((lane) => lane.device === device && lane.name)?.name ?? '';
  return name.split(':')[0].replace(/^worker 0, /, '');
}

/** The most that any device of any trace reaches in a group: the top of all its tracks. */
function topOf(traces, group) {
  return Math.max(0, ...traces.filter((trace) => !trace.hidden).flatMap((trace) =>
    holders(trace).map((device) => peakOf(holdingOf(trace, device), COLUMN[group])))) || 1;
}

/** Bytes in a unit that fits the largest of them: `[unit, by]`. */
const bytesUnit = (most) => BYTES.find(([, size]) => most >= size) ?? BYTES.at(-1);

function amount(value, most) {
  const [unit, size] = bytesUnit(most);
  return `${short(value / size, 4)} ${unit}`;
}

function drawCounters(pen, theme, trace, y, width) {
  const tops = new Map();
  for (const track of tracksOf(trace)) {
    if (y + track.y + track.height < AXIS || y + track.y > view.height) continue;
    if (!tops.has(track.group) && openGroups.has(track.group)) tops.set(track.group, topOf(state.traces, track.group));
    if (track.device === null) drawHead(pen, theme, track, y + track.y, tops.get(track.group));
    else drawTrack(pen, theme, trace, track, y + track.y, width, tops.get(track.group));
  }
}

function drawHead(pen, theme, { group, name, x: left, width }, y, top) {
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.font = theme.font(12, true);
  pen.fillStyle = theme.ink;
  pen.fillText(headText(group, name), left, y + HEAD / 2);
  let x = left + width + 14;
  pen.font = theme.font(12);
  pen.fillStyle = theme.soft;
  if (!openGroups.has(group)) return;
  const chunks = group !== 'memory' && state.traces.some((trace) => trace.chunks > 1) ? ', its stages together' : '';
  const says = `at most ${group === 'memory' ? amount(top, top) : top} a device${chunks}`;
  pen.fillText(says, x, y + HEAD / 2);
  x += pen.measureText(says).width + 16;
  if (group !== 'memory') return;
  for (const kind of HELD_KINDS) {
    pen.fillStyle = given.held[kind];
    pen.fillRect(x, y + HEAD / 2 - 5, 10, 10);
    pen.fillStyle = theme.soft;
    pen.fillText(kind, x + 14, y + HEAD / 2);
    x += pen.measureText(kind).width + 28;
  }
}

function drawTrack(pen, theme, trace, { group, name, device }, y, width, top) {
  const held = holdingOf(trace, device), shown = group === 'memory' ? HELD_KINDS : [group];
  pen.fillStyle = theme.lane;
  pen.fillRect(view.gutter, y, width, TRACK);
  drawScale(pen, theme, name, y, group === 'memory' ? amount(top, top) : String(top));
  pen.save();
  pen.beginPath();
  pen.rect(view.gutter, Math.max(y, AXIS), width, TRACK);
  pen.clip();
  if (group !== 'memory') pen.globalAlpha = 0.6;
  for (const { from, to, at } of stretches(trace, held, COLUMN[group], shown, width)) {
    const left = Math.round(view.gutter + from), right = Math.round(view.gutter + to);
    let floor = y + TRACK;
    for (const kind of shown) {
      const high = (held[kind][at] / top) * (TRACK - 2);
      pen.fillStyle = given.held[kind] ?? theme.soft;
      pen.fillRect(left, floor - high, right - left, high);
      floor -= high;
    }
  }
  pen.restore();
}

/** A track's name and the ends of its axis, left of it. */
function drawScale(pen, theme, name, y, most) {
  pen.textBaseline = 'middle';
  pen.textAlign = 'left';
  pen.fillStyle = theme.soft;
  pen.font = theme.font(11);
  pen.fillText(elide(pen, name, view.gutter - 26), 8, y + TRACK / 2 + 2);
  pen.font = theme.font(10);
  pen.textAlign = 'right';
  pen.fillText(most, view.gutter - 5, y + 6);
  pen.fillText('0', view.gutter - 5, y + TRACK - 5);
}

/** Stretches of pixels `{ from, to, at }` over which a track, which draws the columns `shown`, is as
 *  it is at one change: of each pixel the change at which the column `name` is highest. */
function stretches(trace, held, name, shown, width) {
  const values = held[name], { from, to } = seen(trace), step = (to - from) / width, found = [];
  const end = lastEnd(trace);
  let next = upper(held.time, from), last = null;
  for (let x = 0; x < width; x++) {
    const right = from + (x + 1) * step;
    if (right <= 0 || from + x * step > end) continue;
    let best = Math.max(0, next - 1);
    while (next < values.length && held.time[next] < right) {
      if (values[next] > values[best]) best = next;
      next++;
    }
    const same = last?.to === x && (last.at === best || shown.every((each) => held[each][last.at] === held[each][best]));
    if (same) last.to = x + 1;
    else found.push(last = { from: x, to: x + 1, at: best });
  }
  return found;
}

/** When a trace ends, in its own seconds. */
const lastEnd = (trace) => trace.summary.makespan_s;

/** The counter under a point of the canvas as `{ heading, facts: [[key, name, text]…] }`, or null. */
function counterAt(state, x, y) {
  if (y < AXIS || x < view.gutter || x > view.width - PAD) return null;
  const found = trackAt(state, x, y);
  if (!found || found.track.device === null) return null;
  const { trace, track } = found, time = ownTime(trace, axisTime(x));
  if (time < 0 || time > lastEnd(trace)) return null;
  const held = holdingOf(trace, track.device), at = momentOf(held, time);
  const most = topOf(state.traces, track.group);
  const facts = [['time_s', 'at', duration(time)], ['device', 'device', String(track.device)]];
  if (track.group === 'memory') {
    for (const kind of [...HELD_KINDS, 'total']) facts.push([kind, kind === 'total' ? 'together' : kind, amount(held[kind][at], most)]);
  } else facts.push([track.group, GROUPS.find(([group]) => group === track.group)[1], String(held[track.group][at])]);
  return { trace, counter: true, row: undefined, at, group: track.group, device: track.device, heading: `${track.name} · ${GROUPS.find(([group]) => group === track.group)[1]}`, facts };
}

/** The counter's track or head at a point of the canvas, `{ trace, track }`, or null. */
function trackAt(state, x, y) {
  for (const trace of state.traces) {
    if (trace.hidden || trace.collapsed) continue;
    const down = y + state.chart.scrollTop - trace.foot;
    const track = tracksOf(trace).find((each) => down >= each.y
      && down < each.y + each.height && x >= each.x && x < each.x + each.width);
    if (track) return { trace, track };
  }
  return null;
}
