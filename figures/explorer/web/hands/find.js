/** What lies under a point, and what lies beside a span. */

const NEAR = 4; // pixels by which a pointer may miss

/** Trace and lane at a height of the canvas; null between lanes. */
function laneAt(traces, y, top) {
  for (const trace of traces) {
    const number = Math.floor((y + top - trace.top - TITLE) / view.lane);
    if (number >= 0 && number < trace.lanes.length) return { trace, number, lane: trace.lanes[number] };
  }
  return null;
}

/** The span under a point as `{ trace, row }`, else the gap as `{ trace, gap, wait }`, or null. */
function spanAt(traces, x, y, top) {
  const found = y < AXIS || x < view.gutter || x > view.width - PAD ? null : laneAt(traces, y, top);
  if (!found) return null;
  const { trace, number, lane } = found, time = toTime(x);
  const below = y + top > boxTop(trace, number) + view.box;
  const reach = ((view.to - view.from) / plotWidth()) * NEAR;
  const tick = nearestTick(lane, time, reach), box = nearestBox(lane, time, reach);
  const row = below ? tick ?? box : box ?? tick;
  return row === null ? gapAt(trace, lane, time) : { trace, row };
}

function nearestTick(lane, time, reach) {
  const after = upper(lane.tickAt, time), before = after - 1;
  const off = (i) => (i >= 0 && i < lane.ticks.length ? Math.abs(lane.tickAt[i] - time) : Infinity);
  const best = off(before) <= off(after) ? before : after;
  return off(best) <= reach ? lane.ticks[best] : null;
}

function nearestBox(lane, time, reach) {
  const before = upper(lane.start, time) - 1, after = before + 1;
  if (before >= 0 && time < lane.end[before]) return lane.boxes[before];
  const past = before >= 0 ? time - lane.end[before] : Infinity;
  const ahead = after < lane.boxes.length ? lane.start[after] - time : Infinity;
  if (Math.min(past, ahead) > reach) return null;
  return past <= ahead ? lane.boxes[before] : lane.boxes[after];
}

/** The idle stretch of a lane at a time, with the seconds of it a message was under way. */
function gapAt(trace, lane, time) {
  const next = upper(lane.start, time);
  if (next >= lane.boxes.length) return null;
  const from = next ? lane.end[next - 1] : 0, wait = waitBefore(trace, lane, next);
  return { trace, gap: [from, lane.start[next]], wait: wait ? wait[1] - wait[0] : 0, lane };
}

/** The span `by` places further in the same lane; the same span at its ends. */
function along({ trace, row }, by) {
  const { rows } = trace.lanes[trace.laneOf[row]];
  const at = Math.min(Math.max(trace.placeOf[row] + by, 0), rows.length - 1);
  return { trace, row: rows[at] };
}

/** The span of the next lane (over all traces) that starts nearest to where this one does. */
function across(traces, { trace, row }, by) {
  const all = traces.flatMap((each) => each.lanes.map((lane) => ({ trace: each, lane })));
  const here = all.findIndex((each) => each.lane === trace.lanes[trace.laneOf[row]]);
  const { trace: other, lane } = all[Math.min(Math.max(here + by, 0), all.length - 1)];
  return { trace: other, row: nearestStart(lane, trace.start_s[row]) };
}

function nearestStart({ rows, rowStart }, time) {
  const after = Math.min(upper(rowStart, time), rows.length - 1), before = Math.max(after - 1, 0);
  return Math.abs(rowStart[before] - time) <= Math.abs(rowStart[after] - time) ? rows[before] : rows[after];
}
