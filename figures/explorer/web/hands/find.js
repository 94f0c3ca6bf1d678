/** What lies under a point, and what lies beside a span. */

const NEAR = 4; // pixels by which a pointer may miss
const SNAP = 6; // pixels from which the edge of a measured stretch jumps to a span's

/** Trace and lane at a height of the canvas; null between lanes. */
function laneAt(traces, y, top) {
  for (const trace of unfolded(traces)) {
    const number = Math.floor((y + top - trace.top - TITLE) / view.lane);
    if (number >= 0 && number < trace.lanes.length) return { trace, number, lane: trace.lanes[number] };
  }
  return null;
}

/** The span under a point as `{ trace, row }`, else the gap as `{ trace, gap, wait }`, or null. */
function spanAt(traces, x, y, top) {
  const found = y < AXIS || x < view.gutter || x > view.width - PAD ? null : laneAt(traces, y, top);
  if (!found) return null;
  const { trace, number, lane } = found, time = ownTime(trace, axisTime(x));
  const below = y + top > boxTop(trace, number) + view.box, near = secondsOf(trace, NEAR);
  const tick = nearestTick(lane, time, near), box = nearestBox(lane, time, near);
  const row = below ? tick ?? box : box ?? tick;
  return row === null ? gapAt(trace, lane, time) : { trace, row };
}

/** How many of a trace's own seconds so many pixels are. */
const secondsOf = (trace, pixels) => ((view.to - view.from) / plotWidth() / trace.clock.by) * pixels;

function nearestTick(lane, time, near) {
  const after = upper(lane.tickAt, time), before = after - 1;
  const off = (i) => (i >= 0 && i < lane.ticks.length ? Math.abs(lane.tickAt[i] - time) : Infinity);
  const best = off(before) <= off(after) ? before : after;
  return off(best) <= near ? lane.ticks[best] : null;
}

function nearestBox(lane, time, near) {
  const before = upper(lane.start, time) - 1, after = before + 1;
  if (before >= 0 && time < lane.end[before]) return lane.boxes[before];
  const past = before >= 0 ? time - lane.end[before] : Infinity;
  const ahead = after < lane.boxes.length ? lane.start[after] - time : Infinity;
  if (Math.min(past, ahead) > near) return null;
  return past <= ahead ? lane.boxes[before] : lane.boxes[after];
}

/** The idle stretch of a lane at a time, with the seconds of it a message was under way. */
function gapAt(trace, lane, time) {
  const next = upper(lane.start, time);
  if (next >= lane.boxes.length) return null;
  const from = next ? lane.end[next - 1] : 0, wait = waitBefore(trace, lane, next);
  return { trace, gap: [from, lane.start[next]], wait: wait ? wait[1] - wait[0] : 0, lane };
}

/** The moment of the axis under `x`, or the start or end of a span near it: of the lane at `y`, or
 *  of any where `y` lies in none. */
function edgeNear(traces, x, y, top) {
  const time = axisTime(x), here = y >= AXIS && laneAt(traces, y, top);
  const lanes = here ? [here] : unfolded(traces).flatMap((trace) => trace.lanes.map((lane) => ({ trace, lane })));
  let best = time, off = ((view.to - view.from) / plotWidth()) * SNAP;
  for (const { trace, lane } of lanes) {
    for (const times of [lane.start, lane.end]) {
      const after = upper(times, ownTime(trace, time));
      for (const i of [after - 1, after]) {
        const edge = i >= 0 && i < times.length ? onAxis(trace, times[i]) : Infinity;
        if (Math.abs(edge - time) < off) [best, off] = [edge, Math.abs(edge - time)];
      }
    }
  }
  return best;
}

/** The span `by` places further in the same lane; the same span at its ends. */
function along({ trace, row }, by) {
  const { rows } = trace.lanes[trace.laneOf[row]];
  const at = Math.min(Math.max(trace.placeOf[row] + by, 0), rows.length - 1);
  return { trace, row: rows[at] };
}

/** The span of the next lane (over all traces) that starts nearest to where this one does. */
function across(traces, { trace, row }, by) {
  const all = unfolded(traces).flatMap((each) => each.lanes.map((lane) => ({ trace: each, lane })));
  const here = all.findIndex((each) => each.lane === trace.lanes[trace.laneOf[row]]);
  const { trace: other, lane } = all[Math.min(Math.max(here + by, 0), all.length - 1)];
  return { trace: other, row: nearestStart(lane, ownTime(other, onAxis(trace, trace.start_s[row]))) };
}

function nearestStart({ rows, rowStart }, time) {
  const after = Math.min(upper(rowStart, time), rows.length - 1), before = Math.max(after - 1, 0);
  return Math.abs(rowStart[before] - time) <= Math.abs(rowStart[after] - time) ? rows[before] : rows[after];
}
