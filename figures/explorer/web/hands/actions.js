/** What a user can do; every way in (mouse, keys, buttons) ends here. */

function makeActions(state, redraw, say) {
  const { chart } = state;

  /** Bring a span into sight, with as much zoom as it takes to see it. */
  function reveal({ trace, row }) {
    const { start_s: start, end_s: end } = trace, length = view.to - view.from;
    const enough = Math.max((end[row] - start[row]) * 30, view.shortest * 30);
    const middle = (start[row] + end[row]) / 2;
    if (length > enough * 8) look(middle - enough / 2, middle + enough / 2);
    else if (start[row] < view.from || end[row] > view.to) look(middle - length / 2, middle + length / 2);
    const y = boxTop(trace, trace.laneOf[row]) - view.room;
    if (y - chart.scrollTop < AXIS) chart.scrollTop = y - AXIS - TITLE;
    else if (y + view.lane - chart.scrollTop > view.height) chart.scrollTop = y + view.lane - view.height + GAP;
  }

  const acts = {
    choose(span, { show = true } = {}) {
      state.chosen = span;
      if (show) reveal(span);
      say(sentence(span.trace, span.row));
      redraw();
    },
    select(minibatch, { tell = true } = {}) {
      state.minibatch = minibatch;
      if (state.chosen && minibatchOf(state.chosen.trace, state.chosen.row) !== minibatch) state.chosen = null;
      if (tell) say(tripSentence(state.traces, minibatch));
      redraw();
    },
    click(span) {
      acts.choose(span, { show: false });
      acts.select(minibatchOf(span.trace, span.row), { tell: false });
    },
    show(minibatch) {
      acts.select(minibatch);
      const rows = state.traces.filter((trace) => minibatch <= trace.minibatches)
        .flatMap((trace) => tripRows(trace, minibatch).map((row) => [trace.start_s[row], trace.end_s[row]]));
      const outside = ([start, end]) => start < view.from || end > view.to;
      const length = Math.max(...rows.map(([, end]) => end)) - Math.min(...rows.map(([start]) => start));
      if (rows.some(outside) || length < (view.to - view.from) / 40) acts.zoomToTrip();
    },
    zoomToTrip() {
      if (!state.minibatch) return;
      const rows = state.traces.filter((trace) => state.minibatch <= trace.minibatches)
        .flatMap((trace) => tripRows(trace, state.minibatch).map((row) => [trace.start_s[row], trace.end_s[row]]));
      const first = Math.min(...rows.map(([start]) => start)), last = Math.max(...rows.map(([, end]) => end));
      look(first - 0.35 * (last - first), last + 0.35 * (last - first));
      redraw();
    },
    clear() {
      Object.assign(state, { chosen: null, minibatch: null, hovered: null });
      say('Nothing is selected');
      redraw();
    },
    fit() {
      fit();
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

/** The first span of the first lane that is in sight. */
function firstVisible(traces) {
  const [trace] = traces, [{ rows, rowStart }] = trace.lanes;
  return { trace, row: rows[Math.min(upper(rowStart, Math.max(view.from, 0) - 1e-12), rows.length - 1)] };
}

/** A round trip in words: each pass and the weights it read. */
function tripSentence(traces, minibatch) {
  return traces.filter((trace) => minibatch <= trace.minibatches).map((trace) => {
    const passes = tripRows(trace, minibatch).map((row) =>
      `${boxName(trace, row)} on stage ${trace.stage[row]} ${versionLabel(trace, row) || 'no weights'}`);
    return `${trace.name}, mini-batch ${minibatch}: ${passes.join('; ')}`;
  }).join('. ');
}
