/** The panel: the chosen span, and the round trip as tables that need no picture. */

/** Titles of a round trip's columns, each with its unit. */
const titles = (unit) => [['pass'], ['stage'], ['start', unit], ['takes', unit], ['weights'],
  ['stale by', 'updates'], ['distance', 'relative']];

/** One trace's part of a round trip as a table (`number`: which
 *  trace); `pick(row)` is called by its buttons. */
function tripTable(trace, number, minibatch, pick) {
  const rows = tripRows(trace, minibatch);
  const [unit, by] = unitFor(trace.end_s[rows[rows.length - 1]]);
  const table = document.createElement('table'), body = document.createElement('tbody');
  const caption = document.createElement('caption'), facts = document.createElement('span');
  caption.textContent = `${trace.name} `;
  facts.textContent = trace.facts;
  caption.append(facts);
  const head = document.createElement('thead'), names = document.createElement('tr');
  for (const [name, measuredIn] of titles(unit)) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    if (measuredIn) {
      const small = document.createElement('small');
      small.textContent = `(${measuredIn})`;
      cell.append(' ', small);
    }
    names.append(cell);
  }
  head.append(names);
  for (const row of rows) body.append(tripLine(trace, row, by, pick));
  table.dataset.trace = number;
  table.append(caption, head, body);
  return table;
}

function tripLine(trace, row, by, pick) {
  const tr = document.createElement('tr'), button = document.createElement('button');
  const reads = readsWeights(trace.op[row]), distance = trace.weight_distance[row];
  button.type = 'button';
  button.textContent = boxName(trace, row);
  button.title = `Go to ${boxName(trace, row)} on stage ${trace.stage[row]}`;
  button.addEventListener('click', () => pick(row));
  tr.dataset.row = row;
  const first = document.createElement('td');
  first.append(button);
  tr.append(first);
  for (const text of [trace.stage[row], short(trace.start_s[row] * by, 7),
    short((trace.end_s[row] - trace.start_s[row]) * by, 4), reads ? versionLabel(trace, row) : '–',
    reads ? short(trace.staleness[row]) : '–',
    reads && Number.isFinite(distance) ? brief(distance) : '–']) {
    const cell = document.createElement('td');
    cell.textContent = text;
    tr.append(cell);
  }
  return tr;
}

/** What the mini-batch's own updates made, in a line. */
function updatesNote(trace, minibatch) {
  const rows = updateRows(trace, minibatch), note = document.createElement('p');
  note.className = 'note';
  if (!rows.length) return note;
  const made = new Set(rows.map((row) => trace.version_applied[row] + 1));
  const [first, last] = [rows[0], rows[rows.length - 1]].map((row) => duration(trace.end_s[row]));
  note.textContent = made.size > 1 ? rows.map((row) =>
    `Stage ${trace.stage[row]} has v${trace.version_applied[row] + 1} at ${duration(trace.end_s[row])}.`).join(' ')
    : `Its update makes v${[...made][0]}${rows.length > 1 ? ` on every stage, from ${first} to ${last}` : ` at ${first}`}.`;
  return note;
}

function button(text, act, off = false) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.disabled = off;
  made.addEventListener('click', act);
  return made;
}

/** Fill the panel's section of a mini-batch; `acts` are what its buttons do.  The focus stays on
 *  the button that had it. */
function showTrip(section, traces, minibatch, acts) {
  const focus = [...section.querySelectorAll('button')].indexOf(document.activeElement);
  section.hidden = !minibatch;
  if (!minibatch) return;
  const title = document.createElement('h2'), row = document.createElement('div');
  title.textContent = `Round trip of mini-batch ${minibatch}`;
  row.className = 'actions';
  const most = Math.max(...traces.map((trace) => trace.minibatches));
  row.append(button('Previous', () => acts.select(minibatch - 1), minibatch === 1),
    button('Next', () => acts.select(minibatch + 1), minibatch === most),
    button('Zoom to it', acts.zoomToTrip), button('Clear', acts.clear));
  const tables = traces.filter((trace) => minibatch <= trace.minibatches).flatMap((trace) =>
    [tripTable(trace, traces.indexOf(trace), minibatch, (at) => acts.choose({ trace, row: at })),
      updatesNote(trace, minibatch)]);
  section.replaceChildren(title, row, ...tables);
  if (focus >= 0) section.querySelectorAll('button')[focus]?.focus();
}

/** Mark the chosen span's line. */
function markChosen(section, traces, chosen) {
  section.querySelector('tr.chosen')?.classList.remove('chosen');
  if (!chosen) return;
  const table = [...section.querySelectorAll('table')].find((each) =>
    Number(each.dataset.trace) === traces.indexOf(chosen.trace));
  table?.querySelector(`tr[data-row="${chosen.row}"]`)?.classList.add('chosen');
}

function showChosen(section, chosen) {
  section.hidden = !chosen;
  if (chosen) section.replaceChildren(factsElement(chosen.trace, chosen.row));
}
