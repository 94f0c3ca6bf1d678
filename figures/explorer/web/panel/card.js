/** The card: what lies under the pointer, else what is chosen, always in the same place, so that
 *  it never covers what it is about. */

/** A heading and a definition list; every value carries its key for whoever reads the page. */
function listElement(title, facts, text) {
  const part = document.createDocumentFragment(), list = document.createElement('dl');
  part.append(heading(title, text));
  for (const fact of facts) list.append(...line(...fact));
  part.append(list);
  return part;
}

const factsElement = (trace, row) => listElement(
  `${boxName(trace, row)} · ${OP_WORDS[trace.op[row]]}`, factsOf(trace, row), instruction(trace, row));

const gapElement = ({ gap, wait }) => listElement('idle', [['start_s', 'start', duration(gap[0])],
  ['duration_s', 'duration', duration(gap[1] - gap[0])],
  ['wait_s', 'message under way', duration(wait)]]);

/** A heading; `text` is the instruction as the program's text form writes it. */
function heading(title, text) {
  const strong = document.createElement('strong');
  strong.textContent = title;
  if (!text) return strong;
  const part = document.createDocumentFragment(), small = document.createElement('small');
  small.textContent = text;
  small.title = 'as the program’s text form writes it: stage, pass, micro-batch counted from 0';
  part.append(strong, ' ', small);
  return part;
}

function line(key, name, text) {
  const term = document.createElement('dt'), value = document.createElement('dd');
  term.textContent = name;
  value.textContent = text;
  value.dataset.field = key;
  return [term, value];
}

/** Fill the card with what is hovered (`{ trace, row }`, a gap, or `{ heading, facts }` of its own),
 *  else chosen, else a hint.
 *  With several traces it says which one. */
function showCard(card, traces, hovered, chosen) {
  const what = hovered ?? chosen;
  card.dataset.of = hovered ? 'hovered' : chosen ? 'chosen' : 'nothing';
  if (!what) {
    const hint = document.createElement('p');
    hint.className = 'note';
    hint.textContent = 'Point at a span to read it here; click it for its mini-batch’s round trip.';
    card.replaceChildren(hint);
    return;
  }
  card.replaceChildren(what.counter ? listElement(what.heading, what.facts) : what.gap ? gapElement(what)
    : factsElement(what.trace, what.row));
  if (traces.length > 1) {
    const name = document.createElement('small');
    name.className = 'whose';
    name.textContent = what.trace.name;
    card.prepend(name);
  }
}
