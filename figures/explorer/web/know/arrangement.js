/** Several traces beside each other: their order, which are folded or hidden, and their clocks. */

/** How times of several traces are laid on one axis. */
const CLOCKS = {
  seconds: { name: 'seconds', scale: null, of: () => ({ at: 0, by: 1 }) },
  share: { name: 'share of each run', scale: { unit: '%', by: 100, name: 'run' },
    of: (trace) => ({ at: 0, by: 1 / (lastEnd(trace) || 1) }) },
  steady: { name: 'from the steady state', scale: null,
    of: (trace) => ({ at: -trace.summary.steady_from_s, by: 1 }) }};
const arranged = { clock: 'seconds' };

/** Lay the traces on the axis by one of the clocks. */
function setClock(name, traces) {
  arranged.clock = CLOCKS[name] ? name : 'seconds';
  view.scale = CLOCKS[arranged.clock].scale;
  for (const trace of traces) trace.clock = CLOCKS[arranged.clock].of(trace);
  measure(traces);
}

/** What a user can do to the arrangement; `refresh` draws all again. */
function makeArrangement(refresh, say) {
  const words = (trace, what) => say(`${trace.name} ${what}`);
  return {
    move(trace, by) {
      const { traces } = state, at = traces.indexOf(trace), to = Math.min(Math.max(at + by, 0), traces.length - 1);
      traces.splice(at, 1);
      traces.splice(to, 0, trace);
      words(trace, `is now number ${to + 1} of ${traces.length}`);
      refresh();
    },
    fold(trace) {
      trace.collapsed = !trace.collapsed;
      words(trace, trace.collapsed ? 'is folded' : 'is unfolded');
      refresh();
    },
    hide(trace) {
      if (!trace.hidden && state.traces.filter((each) => !each.hidden).length === 1) {
        say('One trace has to stay');
        return refresh();
      }
      trace.hidden = !trace.hidden;
      if (state.chosen?.trace === trace) state.chosen = null;
      words(trace, trace.hidden ? 'is hidden' : 'is shown');
      measure(state.traces);
      return refresh();
    },
    clock(name) {
      setClock(name, state.traces);
      fit();
      say(`Time: ${CLOCKS[arranged.clock].name}`);
      refresh();
    },
    unfold(group) {
      if (!openGroups.delete(group)) openGroups.add(group);
      refresh();
    },
    markPath() {
      marked.path = !marked.path;
      say(marked.path ? state.traces.filter((trace) => !trace.hidden).map((trace) =>
        `${trace.name}: ${pathWords(trace)}`).join('. ') : 'The critical path is not marked');
      refresh();
    }};
}

/** Fill the panel's list of traces: a line each to move, fold and hide. */
function showArrangement(section, acts) {
  section.hidden = state.traces.length < 2;
  if (section.hidden) return;
  const focus = document.activeElement?.dataset.act;
  const list = document.createElement('ol');
  state.traces.forEach((trace, i) => {
    const item = document.createElement('li'), name = cell('span', trace.name);
    item.append(name, small('↑', `Move ${trace.name} up`, () => acts.move(trace, -1), i === 0),
      small('↓', `Move ${trace.name} down`, () => acts.move(trace, 1), i === state.traces.length - 1),
      small(trace.collapsed ? '▸' : '▾', `${trace.collapsed ? 'Unfold' : 'Fold'} ${trace.name}`, () => acts.fold(trace)),
      small(trace.hidden ? 'Show' : 'Hide', `${trace.hidden ? 'Show' : 'Hide'} ${trace.name}`, () => acts.hide(trace)));
    for (const each of item.querySelectorAll('button')) each.dataset.act = `${trace.number} ${each.textContent}`;
    list.append(item);
  });
  const heading = document.createElement('h2');
  heading.textContent = 'Traces';
  section.replaceChildren(heading, list, clockChoice(acts));
  if (focus) section.querySelector(`[data-act="${focus}"]`)?.focus();
}

function small(text, title, act, off = false) {
  const made = button(text, act, off);
  made.title = title;
  made.setAttribute('aria-label', title);
  return made;
}

function clockChoice(acts) {
  const line = document.createElement('label'), select = document.createElement('select');
  line.append('Time ', select);
  select.id = 'clock';
  for (const [name, { name: text }] of Object.entries(CLOCKS)) {
    const option = cell('option', text);
    option.value = name;
    select.append(option);
  }
  select.value = arranged.clock;
  select.addEventListener('change', () => acts.clock(select.value));
  return line;
}

/** Whether a point is on the title of a trace or the head of a counter, which then folds. */
function clickHead(x, y, acts) {
  if (y < AXIS) return false;
  const down = y + state.chart.scrollTop;
  const trace = state.traces.find((each) => !each.hidden && down >= each.top && down < each.top + TITLE);
  const found = trace ? null : trackAt(state, x, y);
  if (trace && state.traces.length > 1) acts.fold(trace);
  else if (found && found.track.device === null) acts.unfold(found.track.group);
  else return Boolean(trace || found);
  return true;
}
