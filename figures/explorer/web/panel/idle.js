/** What devices waited for while they stood idle: the largest stretches, a click from each. */

const FIRST = 8; // stretches of a trace that are shown at first
const ENDS = 3; // passes of a chain that are named at either end of it

/** Passes that ran one after another, each with its stage, the middle of many left out. */
function chainText(trace, { passes, earlier }) {
  const names = passes.map((row) => `${boxName(trace, row)}@${trace.stage[row]}`), left = names.length + earlier - 2 * ENDS;
  if (left <= 1 && !earlier) return names.join(', ');
  return [...(earlier ? [] : names.slice(0, ENDS)), `… ${left + (earlier ? ENDS : 0)} more`, ...names.slice(-ENDS)].join(', ');
}

/** Why a stretch was as long as it was, in words. */
function whyIdle(trace, each) {
  if (each.kind === 'done') return 'nothing was left to do';
  const whom = each.sender === null ? '' : `${boxName(trace, each.sender)} of device ${trace.device[each.sender]}`;
  const head = { sender: whom, message: whom, exchange: `what workers or copies exchange after ${whom}`,
    other: 'nothing another device sends' }[each.kind];
  const parts = [
    ...(each.passes_s > 0 ? [`${duration(each.passes_s)} of ${chainText(trace, each)}`] : []),
    ...(each.message_s > 0 ? [`${duration(each.message_s)} of messages${each.queued_s > 0
      ? `, ${duration(each.queued_s)} of it behind others on the link` : ''}`] : []),
    ...(each.exchange_s > 0 ? [`${duration(each.exchange_s)} of exchange`] : []),
    ...(each.other_s > 1e-6 * (each.to_s - each.from_s) ? [`${duration(each.other_s)} in which nothing of it ran`] : [])];
  return `waited for ${head}${parts.length ? `: ${parts.join('; ')}` : ''}`;
}

/** Fill the panel's section; a button leads to the longest stretch of each line. */
function showIdle(section, traces, acts) {
  const seenTraces = traces.filter((trace) => !trace.hidden && trace.idle.length);
  section.hidden = !seenTraces.length;
  const title = document.createElement('h2');
  title.textContent = 'Idle: what devices waited for';
  section.replaceChildren(title, ...seenTraces.flatMap((trace) => idleTable(trace, seenTraces.length > 1, acts)));
}

function idleTable(trace, named, acts) {
  const table = document.createElement('table'), body = document.createElement('tbody');
  const [unit, by] = unitFor(Math.max(...trace.idle.map((each) => each.seconds)));
  if (named) {
    const caption = document.createElement('caption');
    caption.textContent = trace.name;
    table.append(caption);
  }
  const head = document.createElement('thead'), names = document.createElement('tr');
  for (const [text, why] of [['before', 'what began at the end of the longest'], ['device', ''],
    [`in all (${unit})`, 'of such stretches on the device together'], ['times', ''], [`longest (${unit})`, '']]) {
    const made = cell('th', text);
    made.scope = 'col';
    made.title = why;
    names.append(made);
  }
  head.append(names);
  const show = (count) => body.replaceChildren(...trace.idle.slice(0, count).flatMap((each, place) =>
    idleLines(trace, each, place, by, acts)));
  show(FIRST);
  table.dataset.trace = trace.number;
  table.append(head, body);
  if (trace.idle.length <= FIRST) return [table];
  const all = button(`All ${trace.idle.length}`, () => {
    show(trace.idle.length);
    all.remove();
  });
  return [table, all];
}

/** Two lines of the table: the stretch in numbers, and why. */
function idleLines(trace, each, place, by, acts) {
  const first = document.createElement('tr'), second = document.createElement('tr');
  const go = button(each.row === null ? 'end' : boxName(trace, each.row), () => acts.idle(trace, each, whyIdle(trace, each)));
  go.title = 'Go to the longest of them, with what ran meanwhile marked';
  const lead = document.createElement('td'), why = cell('td', whyIdle(trace, each));
  lead.append(go);
  why.colSpan = 5;
  first.dataset.stretch = place;
  first.append(lead, ...[each.device, short(each.seconds * by), each.times,
    short((each.to_s - each.from_s) * by)].map((text) => cell('td', text)));
  second.className = 'why';
  second.append(why);
  return [first, second];
}
