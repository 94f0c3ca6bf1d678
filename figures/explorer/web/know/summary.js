/** The summary of every trace in the panel, beside each other: how long, how idle, how stale. */

const asPercent = (share) => (share === null ? '–' : `${(100 * share).toFixed(1)} %`);
const known = (values) => values.filter((value) => value !== null);
const sig = (value) => short(value, 4);

/** One number for stages that agree, else the least and the most of them. */
function range(values, write = sig) {
  const found = known(values);
  if (!found.length) return '–';
  const [least, most] = [Math.min(...found), Math.max(...found)].map(write);
  return least === most ? least : `${least} to ${most}`;
}

/** The lines of the summary, `[key, name, of(trace), what it means]`: a unit stands in the name, one
 *  for all traces; `of` gives null where a trace has no such number. */
function summaryLines(traces) {
  const [unit, by] = unitFor(Math.max(...traces.map((trace) => trace.summary.makespan_s)));
  const bytes = traces.map((trace) => trace.summary.peak_bytes), size = bytesUnit(Math.max(0, ...bytes.flat()));
  const allocated = bytesUnit(Math.max(0, ...traces.flatMap(({ summary: s }) => known(s.allocated_bytes ?? []))));
  const lines = [
    ['makespan_s', `takes (${unit})`, (s) => short(s.makespan_s * by, 6), 'from the start to the last end'],
    ['bubble', 'idle (bubble)', (s) => asPercent(s.bubble), 'share of all devices’ time in which they do nothing, waits for messages included'],
    ['comm_wait', 'waiting for messages', (s) => asPercent(s.comm_wait), 'share of all devices’ time idle while the message needed was under way'],
    ['rate', 'mini-batches (/s)', (s) => sig(s.rate), 'of the whole run, filling and draining included'],
    ['steady_rate', '… when steady (/s)', (s) => (s.steady_rate === null ? '–' : sig(s.steady_rate)), 'without the first and the last mini-batches, as many as there are stages'],
    ['forward', 'stale forward (updates)', (s) => range(s.staleness.forward), 'mean of a stage’s forwards when steady, least to most'],
    ['backward', 'stale backward (updates)', (s) => range(s.staleness.backward), 'mean of a stage’s backwards when steady, least to most'],
    ['most_stale', 'most stale (updates)', (s) => sig(s.most_stale), 'of any pass'],
    ['versions_held', 'weight versions held', (s) => range(s.versions_held, String), 'at most, by stage, least to most'],
    ['peak_bytes', `memory, peak (${size[0]})`, (_s, i) => (bytes[i].some((value) => value > 0) ? range(bytes[i].map((value) => value / size[1])) : null),
      'at most by device, least to most: weights, stash, copies and activations'],
    ['allocated_bytes', `allocated, peak (${allocated[0]})`, (s) => (known(s.allocated_bytes ?? []).length
      ? range(known(s.allocated_bytes).map((value) => value / allocated[1])) : null), 'as the devices measured it'],
    ['loss', 'loss at the end', (s) => (s.diverged_at ? `diverged in ${s.diverged_at}` : s.loss === null ? null : sig(s.loss)), 'over the training set'],
    ['accuracy', 'accuracy', (s) => (s.accuracy === null ? null : asPercent(s.accuracy)), 'on the validation split'],
    ['critical', 'critical path (spans)', (s) => String(s.critical.rows), 'the chain of passes and messages that decided how long the run took'],
    ['critical_work', '… of it work', (s) => asPercent(s.makespan_s ? s.critical.compute_s / s.makespan_s : null), 'share of the run that is passes and updates of that chain']];
  return lines.map(([key, name, of, why]) => [key, name, traces.map((trace, i) => of(trace.summary, i)), why]);
}

/** Whose work the path is, and what of it is none, in words. */
function pathWords({ summary: { critical, makespan_s: all }, workers }) {
  const most = critical.device_s.indexOf(Math.max(...critical.device_s));
  const parts = [[critical.message_s, 'messages under way'],
    [critical.other_s, `neither: a device took its time to start${workers > 1 ? ', or waited for another worker' : ''}`]]
    .filter(([seconds]) => seconds > 0.0005 * all).map(([seconds, what]) => `, ${asPercent(seconds / all)} ${what}`);
  return `the critical path is ${asPercent(critical.device_s[most] / all)} work of device ${most}${parts.join('')}`;
}

/** Fill the panel's summary: a line a number, a column a trace. */
function showSummary(section, traces, act) {
  const seenTraces = traces.filter((trace) => !trace.hidden);
  const title = document.createElement('h2'), table = document.createElement('table');
  title.textContent = 'Summary';
  const body = document.createElement('tbody');
  for (const [key, name, texts, why] of summaryLines(seenTraces)) {
    if (texts.every((text) => text === null)) continue;
    const tr = document.createElement('tr'), head = document.createElement('th');
    head.scope = 'row';
    head.textContent = name;
    tr.title = why;
    tr.dataset.field = key;
    tr.append(head, ...texts.map((text) => cell('td', text ?? '–')));
    body.append(tr);
  }
  if (seenTraces.length > 1) table.append(namesHead(seenTraces));
  table.append(body);
  section.hidden = false;
  section.replaceChildren(title, table, ...notes(seenTraces), pathButton(act));
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function namesHead(traces) {
  const head = document.createElement('thead'), tr = document.createElement('tr');
  tr.append(cell('td', ''), ...traces.map((trace) => {
    const made = cell('th', trace.name);
    made.scope = 'col';
    return made;
  }));
  head.append(tr);
  return head;
}

function notes(traces) {
  const lines = traces.flatMap((trace) => {
    const { summary: s } = trace, line = (text) => (traces.length > 1 ? `${trace.name}: ${text}`
      : `${text[0].toUpperCase()}${text.slice(1)}`);
    return [...(s.why_no_rate ? [line(`${s.why_no_rate}.`)] : []),
      ...(trace.heldUnknown ? [line(`no memory is shown: ${trace.heldUnknown}`)] : []),
      ...(trace.workers > 1 && !trace.heldUnknown ? [line('memory is the first worker’s; the others hold as much.')] : []),
      ...(s.diverged_at && divergenceOf(trace).lost.some((time) => time !== null)
        ? [line('hatched, the weights read are no longer numbers.')] : []),
      ...(marked.path ? [line(`${pathWords(trace)}.`)] : [])];
  });
  return lines.map((text) => {
    const made = cell('p', text);
    made.className = 'note';
    return made;
  });
}

function pathButton(act) {
  const made = button(marked.path ? 'Hide the critical path' : 'Mark the critical path', act);
  made.id = 'path';
  made.title = 'The chain of passes and messages that decided how long the run took (C)';
  made.setAttribute('aria-pressed', String(marked.path));
  return made;
}
