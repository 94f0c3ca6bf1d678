/** What a user can do; every way in (mouse, keys, buttons) ends here. */

const AIR = 0.08; // of what is zoomed to, left free on each side

function makeActions(state, redraw, say) {
  const { chart } = state, past = [];

  /** Show a stretch of the axis; `back` leads back to what was shown before. */
  function jump(from, to) {
    const before = { from: view.from, to: view.to, top: chart.scrollTop };
    look(from, to);
    if (view.from !== before.from || view.to !== before.to) past.push(before);
    if (past.length > 100) past.shift();
    redraw();
  }

  /** Show the moments `from … to` so that they fill most of the view. */
  function fill([from, to]) {
    const air = Math.max(to - from, view.shortest / 10) * (AIR / (1 - 2 * AIR));
    jump(from - air, to + air);
  }

  /** Bring a span into sight, with as much zoom as it takes to see it. */
  function reveal({ trace, row }) {
    const [from, to] = momentsOf(trace, [row]), length = view.to - view.from;
    const enough = Math.max((to - from) * 30, view.shortest * 30), middle = (from + to) / 2;
    if (length > enough * 8) jump(middle - enough / 2, middle + enough / 2);
    else if (from < view.from || to > view.to) jump(middle - length / 2, middle + length / 2);
    scrollTo(trace, row);
  }

  function scrollTo(trace, row) {
    const y = boxTop(trace, trace.laneOf[row]) - view.room;
    if (y - chart.scrollTop < AXIS) chart.scrollTop = y - AXIS - TITLE;
    else if (y + view.lane - chart.scrollTop > view.height) chart.scrollTop = y + view.lane - view.height + GAP;
  }

  const acts = {
    jump, fill,
    /** Choose a span; `show` brings it into sight. */
    choose(span, { show = true } = {}) {
      if (!span) return;
      state.chosen = span;
      if (show) {
        state.pointed = false; // the card shows this span until the pointer moves again
        reveal(span);
      }
      say(sentence(span.trace, span.row));
      redraw();
    },
    select(minibatch, { tell = true } = {}) {
      const most = Math.max(...state.traces.map((trace) => trace.minibatches));
      if (minibatch < 1 || minibatch > most) return;
      state.minibatch = minibatch;
      if (state.chosen && minibatchOf(state.chosen.trace, state.chosen.row) !== minibatch) state.chosen = null;
      if (tell) say(tripSentence(state.traces, minibatch));
      redraw();
    },
    click(span) {
      acts.choose(span, { show: false });
      acts.select(minibatchOf(span.trace, span.row), { tell: false });
    },
    /** Select a mini-batch and let its round trip fill most of the view. */
    show(minibatch) {
      acts.select(minibatch);
      acts.zoomToTrip();
    },
    zoomToTrip() {
      const moments = state.minibatch && tripMoments(state.traces, state.minibatch);
      if (moments) fill(moments);
    },
    /** Zoom to what is selected: the measured stretch, the chosen span or the round trip. */
    focus() {
      const { range, chosen } = state;
      if (range) fill([range.from, range.to]);
      else if (chosen) {
        fill(momentsOf(chosen.trace, [chosen.row]));
        scrollTo(chosen.trace, chosen.row);
      } else if (state.minibatch) acts.zoomToTrip();
      else say('Nothing is selected to zoom to');
    },
    back() {
      const before = past.pop();
      if (!before) return say('There is no earlier view');
      look(before.from, before.to);
      chart.scrollTop = before.top;
      return redraw();
    },
    /** Measure a stretch of the axis, or nothing. */
    measure(range) {
      state.range = range && { from: Math.min(range.from, range.to), to: Math.max(range.from, range.to) };
      redraw();
    },
    /** Measure what is selected. */
    mark() {
      const moments = state.chosen ? momentsOf(state.chosen.trace, [state.chosen.row])
        : state.minibatch && tripMoments(state.traces, state.minibatch);
      if (!moments) return say('Nothing is selected to measure');
      acts.measure({ from: moments[0], to: moments[1] });
      return say(`Measured ${lengthText(moments[1] - moments[0])}`);
    },
    /** Show a stretch in which a device stood idle, with what ran meanwhile marked; `why` says what
     *  for. */
    idle(trace, { row, from_s: from, to_s: to, passes, device }, why) {
      Object.assign(state, { told: passes.map((each) => ({ trace, row: each })), pointed: false, minibatch: null,
        chosen: row === null ? null : { trace, row } });
      fill([onAxis(trace, from), onAxis(trace, to)]);
      if (row !== null) scrollTo(trace, row);
      say(`Device ${device} stood idle for ${duration(to - from)}: ${why}`);
      redraw();
    },
    /** Clear the measured stretch, then the selection. */
    clear() {
      if (state.range) return acts.measure(null);
      Object.assign(state, { chosen: null, minibatch: null, hovered: null, told: [] });
      say('Nothing is selected');
      return redraw();
    },
    fit() {
      jump(view.first - margin(), view.last + margin());
    },
    look(from, to) {
      look(from, to);
      redraw();
    },
    zoom(factor, x) {
      zoom(factor, x);
      redraw();
    },
    pan(pixels) {
      pan(pixels);
      redraw();
    },
    scroll(pixels) {
      chart.scrollTop += pixels;
    },
    step(by) {
      acts.choose(state.chosen ? along(state.chosen, by) : firstVisible(state.traces));
    },
    lane(by) {
      acts.choose(state.chosen ? across(state.traces, state.chosen, by) : firstVisible(state.traces));
    }};
  return acts;
}

/** First and last moment of some rows of a trace, on the axis. */
function momentsOf(trace, rows) {
  return [Math.min(...rows.map((row) => onAxis(trace, trace.start_s[row]))),
    Math.max(...rows.map((row) => onAxis(trace, trace.end_s[row])))];
}

/** First and last moment of a mini-batch's round trip over all traces drawn; null where no trace
 *  drawn has it. */
function tripMoments(traces, minibatch) {
  const found = unfolded(traces).filter((trace) => minibatch <= trace.minibatches)
    .map((trace) => momentsOf(trace, tripRows(trace, minibatch)));
  return found.length ? [Math.min(...found.map(([from]) => from)), Math.max(...found.map(([, to]) => to))] : null;
}

/** The first span of the first lane that is in sight; null where no trace is drawn. */
function firstVisible(traces) {
  const [trace] = unfolded(traces);
  if (!trace) return null;
  const [{ rows, rowStart }] = trace.lanes, { from } = seen(trace);
  return { trace, row: rows[Math.min(upper(rowStart, Math.max(from, trace.extent.first) - 1e-12), rows.length - 1)] };
}

/** A round trip in words: each pass and the weights it read. */
function tripSentence(traces, minibatch) {
  return traces.filter((trace) => minibatch <= trace.minibatches).map((trace) => {
    const passes = tripRows(trace, minibatch).map((row) =>
      `${boxName(trace, row)} on stage ${trace.stage[row]} ${versionLabel(trace, row) || 'no weights'}`);
    return `${trace.name}, mini-batch ${minibatch}: ${passes.join('; ')}`;
  }).join('. ');
}
