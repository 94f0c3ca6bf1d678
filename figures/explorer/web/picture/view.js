/** Which stretch of time is seen, and where everything lies in pixels. */

const AXIS = 34, TITLE = 26, GAP = 12, TICK = 5, PAD = 12;
const BELOW = 0.45; // of the page's height at most kept for what lies under lanes: the rest scrolls
const TALLEST = 150; // pixels a lane grows to where the page has room
const ROOMY = 44; // pixels from which a lane has room for labels above its boxes

/** The view: times at both ends, and the geometry `arrange` puts into it.  The axis counts seconds
 *  in a fitting unit, or what whoever sets the traces' clocks says in `scale`, `{ name, unit, by }`:
 *  `by` is how many units one of the axis has. */
const view = { scale: null, from: 0, to: 1, first: 0, last: 1, shortest: 1, width: 1, height: 1, gutter: 60, text: 12 };

/** Every trace has a clock, `{ at, by }`: its own second t lies at `at + by · t` on the axis. */
const onAxis = (trace, time) => trace.clock.at + trace.clock.by * time;
const ownTime = (trace, time) => (time - trace.clock.at) / trace.clock.by;

/** First and last moment of a trace and its shortest span, in its own seconds. */
function extent(trace) {
  if (!trace.extent) {
    let first = Infinity, last = -Infinity, shortest = Infinity;
    for (let row = 0; row < trace.rows; row++) {
      const start = trace.start_s[row], end = trace.end_s[row];
      if (start < first) first = start;
      if (end > last) last = end;
      if (end > start && end - start < shortest) shortest = end - start;
    }
    trace.extent = { first: Math.min(0, first), last, shortest };
  }
  return trace.extent;
}

/** Extent of all traces on the axis and their shortest span: what can be zoomed to. */
function measure(traces) {
  const seen = traces.filter((trace) => !trace.hidden).map((trace) => [trace, extent(trace)]);
  view.first = Math.min(...seen.map(([trace, { first }]) => onAxis(trace, first)));
  view.last = Math.max(...seen.map(([trace, { last }]) => onAxis(trace, last)));
  if (!(view.last > view.first)) view.last = view.first + 1;
  view.shortest = Math.min(view.last - view.first,
    ...seen.map(([trace, { shortest }]) => shortest * trace.clock.by));
}

/** The traces whose lanes are drawn. */
const unfolded = (traces) => traces.filter((trace) => !trace.hidden && !trace.collapsed);

/** Lay out lanes for a chart of this size, as high as they can be; gives the height of everything.
 *  `below(trace)` is the room a trace wants under its lanes. */
function arrange(traces, width, height, gutter, below) {
  Object.assign(view, { width, height, gutter });
  const drawn = unfolded(traces), visible = traces.filter((trace) => !trace.hidden);
  const lanes = drawn.reduce((sum, trace) => sum + trace.lanes.length, 0);
  const other = Math.min(drawn.reduce((sum, trace) => sum + below(trace), 0), BELOW * height);
  const free = height - AXIS - visible.length * (TITLE + GAP) - other;
  view.lane = Math.max(24, Math.min(TALLEST, Math.floor(free / Math.max(lanes, 1))));
  // above a box, for the labels of a round trip
  view.room = view.lane < ROOMY ? 3 : Math.min(26, 17 + Math.floor((view.lane - ROOMY) / 6));
  view.box = view.lane - view.room - TICK - 2;
  view.text = view.box < 34 ? Math.min(12, view.box - 2) : Math.min(16, 12 + (view.box - 34) / 14);
  let y = AXIS;
  for (const trace of visible) {
    trace.top = y;
    trace.foot = y + TITLE + (trace.collapsed ? 0 : trace.lanes.length * view.lane);
    y = trace.foot + (trace.collapsed ? 0 : below(trace)) + GAP;
  }
  return y;
}

const plotWidth = () => view.width - view.gutter - PAD;
/** Pixel of a moment of the axis, and the moment of a pixel. */
const axisX = (time) => view.gutter + ((time - view.from) / (view.to - view.from)) * plotWidth();
const axisTime = (x) => view.from + ((x - view.gutter) / plotWidth()) * (view.to - view.from);
/** Pixel of a trace's own second. */
const toX = (trace, time) => axisX(onAxis(trace, time));
/** Both ends of the view in a trace's own seconds. */
const seen = (trace) => ({ from: ownTime(trace, view.from), to: ownTime(trace, view.to) });

/** Top of a lane's boxes in the chart, before scrolling. */
const boxTop = (trace, lane) => trace.top + TITLE + lane * view.lane + view.room;

/** What is shown beyond the first and the last span. */
const margin = () => 0.01 * (view.last - view.first);

/** A length that can be shown: from a fraction of the shortest span to everything. */
function allowed(length) {
  const whole = view.last - view.first;
  const least = Math.max(view.shortest / 50, whole * 1e-11);
  return Math.min(Math.max(length, least), whole + 2 * margin());
}

/** Show this stretch of the axis, or what comes nearest to it. */
function look(from, to) {
  const length = allowed(to - from), wanted = (from + to - length) / 2;
  view.from = Math.min(Math.max(wanted, view.first - margin()), view.last + margin() - length);
  view.to = view.from + length;
}

const fit = () => look(view.first - margin(), view.last + margin());

/** Zoom by a factor (below 1: nearer) about the time under `x`. */
function zoom(factor, x = view.gutter + plotWidth() / 2) {
  const length = allowed((view.to - view.from) * factor), share = (x - view.gutter) / plotWidth();
  const from = axisTime(x) - share * length;
  look(from, from + length);
}

function pan(pixels) {
  const by = (pixels / plotWidth()) * (view.to - view.from);
  look(view.from + by, view.to + by);
}
