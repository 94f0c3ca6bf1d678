/** What the explorer knows beside its lanes, joined to the page: counters, marks, the summary, the
 *  arrangement, the address and pictures to keep. */

const COUNTED = 4; // lanes of all traces up to which counters are unfolded when the page opens

function makeKnowing(page) {
  const { acts, say, redraw, resize, element, stale } = page;
  const knows = makeArrangement(resize, say);
  const address = makeAddress(acts, resize, say), save = makeExport(page.looks, say);

  /** The header's buttons. */
  function addTools() {
    const [png, svg] = ['png', 'svg'].map((kind) => {
      const made = button(kind.toUpperCase(), () => save(kind));
      made.id = `save-${kind}`;
      made.title = `Keep what is seen as ${kind === 'svg' ? 'an SVG, with its text' : 'a PNG'}`;
      return made;
    });
    element('tools').append(png, svg);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.target.closest?.('input, select, textarea')) return;
    const trace = state.chosen?.trace ?? (state.pointer && traceAt(state.pointer.y)) ?? state.traces[0];
    const act = { C: knows.markPath, c: knows.markPath, X: () => knows.fold(trace), x: () => knows.fold(trace),
      '{': () => knows.move(trace, -1), '}': () => knows.move(trace, 1) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  return {
    ...knows, save,
    begin() {
      for (const trace of state.traces) trace.clock = CLOCKS.seconds.of(trace);
      const lanes = state.traces.reduce((sum, trace) => sum + trace.lanes.length, 0);
      if (lanes <= COUNTED) openGroups.add(groupsOf(state.all).length === GROUPS.length ? 'memory' : 'flight');
      arranged.opened = new Set(openGroups);
      addTools();
      document.addEventListener('keydown', onKey);
      address.read();
    },
    /** What scripts and tests may ask beside what the page offers. */
    offered: {
      addressed: () => address.settled(),
      unfold(...groups) { groups.forEach(knows.unfold); },
      save,
      /** A counter's track, or with device −1 its head, in pixels of the window; null where folded. */
      track(number, group, device) {
        const trace = state.all[number], frame = element('spans').getBoundingClientRect();
        const found = tracksOf(trace).find((each) => each.group === group && (each.device ?? -1) === device);
        return found ? { x: frame.left + (found.device === null ? found.x : view.gutter),
          y: frame.top + trace.foot + found.y - state.chart.scrollTop,
          width: found.device === null ? found.width : plotWidth(), height: found.height } : null;
      }},
    /** The panel's parts, each when what it shows has changed; and the address, in a while. */
    fill() {
      const arrangement = state.traces.map((trace) => `${trace.number}${trace.hidden ? 'h' : ''}${trace.collapsed ? 'f' : ''}`).join();
      if (stale('traces', arrangement, arranged.clock)) showArrangement(element('traces'), knows);
      if (stale('summary', arrangement, marked.path)) showSummary(element('summary'), state.traces, knows.markPath);
      if (stale('idle', arrangement)) showIdle(element('idle'), state.traces, acts);
      address.keep();
    }};
}

/** The trace at a height of the canvas; null outside all. */
function traceAt(y) {
  const down = y + state.chart.scrollTop;
  return [...state.traces].filter((trace) => !trace.hidden).reverse().find((trace) => down >= trace.top) ?? null;
}
