/** Which stretch of time is seen, and where everything lies in pixels. */

const AXIS = 34, TITLE = 26, GAP = 12, TICK = 5, PAD = 12;

/** The view: times at both ends, and the geometry `arrange` puts into it. */
const view = { from: 0, to: 1, first: 0, last: 1, shortest: 1, width: 1, height: 1, gutter: 60 };

/** Extent of all traces and their shortest span: what can be zoomed to. */
function measure(traces) {
  view.first = 0;
  view.last = 0;
  view.shortest = Infinity;
  for (const trace of traces) {
    for (let row = 0; row < trace.rows; row++) {
      view.first = Math.min(view.first, trace.start_s[row]);
      view.last = Math.max(view.last, trace.end_s[row]);
      const seconds = trace.end_s[row] - trace.start_s[row];
      if (seconds > 0) view.shortest = Math.min(view.shortest, seconds);
    }
  }
  if (!(view.last > view.first)) view.last = view.first + 1;
  view.shortest = Math.min(view.shortest, view.last - view.first);
}

/** Lay out lanes for a chart of this size; gives the height of everything. */
function arrange(traces, width, height, gutter) {
  Object.assign(view, { width, height, gutter });
  const lanes = traces.reduce((sum, trace) => sum + trace.lanes.length, 0);
  const free = height - AXIS - traces.length * (TITLE + GAP);
  view.lane = Math.max(24, Math.min(66, Math.floor(free / lanes)));
  view.room = view.lane >= 38 ? 17 : 3; // above a box, for version labels
  view.box = Math.min(34, view.lane - view.room - TICK - 2);
  let y = AXIS;
  for (const trace of traces) {
    trace.top = y;
    y += TITLE + trace.lanes.length * view.lane + GAP;
  }
  return y;
}

const plotWidth = () => view.width - view.gutter - PAD;
const toX = (time) => view.gutter + ((time - view.from) / (view.to - view.from)) * plotWidth();
const toTime = (x) => view.from + ((x - view.gutter) / plotWidth()) * (view.to - view.from);

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

/** Show this stretch, or what comes nearest to it. */
function look(from, to) {
  const length = allowed(to - from), wanted = (from + to - length) / 2;
  view.from = Math.min(Math.max(wanted, view.first - margin()), view.last + margin() - length);
  view.to = view.from + length;
}

const fit = () => look(view.first - margin(), view.last + margin());

/** Zoom by a factor (below 1: nearer) about the time under `x`. */
function zoom(factor, x = view.gutter + plotWidth() / 2) {
  const length = allowed((view.to - view.from) * factor), share = (x - view.gutter) / plotWidth();
  const from = toTime(x) - share * length;
  look(from, from + length);
}

function pan(pixels) {
  const by = (pixels / plotWidth()) * (view.to - view.from);
  look(view.from + by, view.to + by);
}
