/** What is seen as the part of the address after `#`, so that a link or the back button leads to it.
 *
 *  What a user chooses (a mini-batch, a colour, an order) is a step of the history; where the view
 *  has moved to is kept with the step it belongs to.
 */

const QUIET = 200; // ms without a change after which the address is written
const DIGITS = 12;

/** The state as `key=value&…`, in two parts: what is chosen, and the view; nothing for what is as
 *  it was when the page opened. */
function addressOf(colour) {
  const { minibatch, chosen, traces, range } = state;
  const numbers = (list) => list.map((trace) => trace.number).join(',');
  const chosenParts = {
    colour: colour === 'pass' ? '' : colour, minibatch: minibatch ?? '',
    span: chosen ? `${chosen.trace.number}:${chosen.row}` : '',
    measured: range ? [range.from, range.to].map(rounded).join(',') : '',
    order: traces.some((trace, i) => trace.number !== i) ? numbers(traces) : '',
    folded: numbers(traces.filter((trace) => trace.collapsed)),
    hidden: numbers(traces.filter((trace) => trace.hidden)),
    time: arranged.clock === 'seconds' ? '' : arranged.clock,
    counters: sameSet(openGroups, arranged.opened) ? '' : [...openGroups].join(',') || 'none',
    path: marked.path ? '1' : ''};
  const whole = view.to - view.from >= (view.last - view.first) * 1.0199;
  return [written(chosenParts), written({ view: whole ? '' : `${rounded(view.from)},${rounded(view.to)}` })];

  function written(parts) {
    return Object.entries(parts).filter(([, value]) => value !== '')
      .map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%2C/g, ',').replace(/%3A/g, ':')}`).join('&');
  }
}

const rounded = (value) => Number(value.toPrecision(DIGITS));
const sameSet = (one, other) => one.size === other.size && [...one].every((each) => other.has(each));

/** Bring about what an address says; what it says wrongly is left out and given back as text. */
function follow(text, act) {
  const said = new Map(new URLSearchParams(text)), wrong = [];
  const numbers = (key) => (said.get(key) ?? '').split(',').filter(Boolean).map(Number);
  const traces = (key) => numbers(key).map((n) => state.all[n]).filter(Boolean);
  const order = traces('order');
  state.traces.splice(0, state.traces.length, ...new Set([...order, ...state.all]));
  for (const trace of state.all) {
    trace.collapsed = traces('folded').includes(trace);
    trace.hidden = traces('hidden').includes(trace);
  }
  if (state.all.every((trace) => trace.hidden)) state.all[0].hidden = false;
  setClock(said.get('time') ?? 'seconds', state.traces);
  marked.path = said.get('path') === '1';
  openGroups.clear();
  const groups = said.has('counters') ? said.get('counters').split(',') : arranged.opened;
  for (const [group] of GROUPS) if ([...groups].includes(group)) openGroups.add(group);
  state.minibatch = minibatchSaid(said.get('minibatch'), wrong);
  state.chosen = spanSaid(said.get('span'), wrong);
  const measured = numbers('measured');
  state.range = measured.length === 2 && measured.every(Number.isFinite) ? { from: measured[0], to: measured[1] } : null;
  const [from, to] = numbers('view');
  if (Number.isFinite(from) && to > from) look(from, to);
  else fit();
  act.colour(MODES.includes(said.get('colour')) ? said.get('colour') : 'pass');
  if (said.has('colour') && !MODES.includes(said.get('colour'))) wrong.push(`colour ${said.get('colour')}`);
  return wrong;
}

const MODES = [...document.getElementById('colour').options].map((option) => option.value);

function minibatchSaid(text, wrong) {
  if (text === undefined) return null;
  const most = Math.max(...state.all.map((trace) => trace.minibatches)), number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  wrong.push(`mini-batch ${text}`);
  return null;
}

function spanSaid(text, wrong) {
  if (text === undefined) return null;
  const [number, row] = text.split(':').map(Number), trace = state.all[number];
  if (trace && Number.isInteger(row) && row >= 0 && row < trace.rows) return { trace, row };
  wrong.push(`span ${text}`);
  return null;
}

/** Keep the address and the page together; gives what is to be called after every drawing. */
function makeAddress(act, refresh, say) {
  let timer = null, chosen = '', now = '';

  function write() {
    timer = null;
    const [part, where] = addressOf(act.colourNow()), text = [part, where].filter(Boolean).join('&');
    if (text === now) return;
    const step = part !== chosen;
    [chosen, now] = [part, text];
    put(`#${text}`, step);
  }

  function put(hash, step) {
    try {
      history[step ? 'pushState' : 'replaceState'](null, '', hash);
    } catch { // a page that may not: the picture is the same, its address stays
      now = hash.slice(1);
    }
  }

  function read() {
    const text = location.hash.slice(1), wrong = follow(text === 'story' ? '' : text, act);
    [chosen] = addressOf(act.colourNow());
    now = text;
    if (wrong.length) say(`The address names what is not here: ${wrong.join(', ')}`);
    refresh();
  }

  addEventListener('popstate', () => {
    if (location.hash.slice(1) !== now && location.hash !== '#story') read();
  });
  return {
    read,
    /** Whether the address says what is seen. */
    settled: () => timer === null,
    keep() {
      clearTimeout(timer);
      timer = setTimeout(write, QUIET);
    }};
}
