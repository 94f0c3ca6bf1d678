/** The card: what lies under the pointer, else what is chosen, always in the same place, so that
 *  it never covers what it is about. */

/** A heading and a definition list; every value carries its key for whoever reads the page. */
function factsElement(trace, row) {
  const part = document.createDocumentFragment(), list = document.createElement('dl');
  part.append(heading(`${boxName(trace, row)} · ${OP_WORDS[trace.op[row]]}`, instruction(trace, row)));
  for (const [key, name, text] of factsOf(trace, row)) list.append(...line(key, name, text));
  part.append(list);
  return part;
}

function gapElement({ gap, wait }) {
  const part = document.createDocumentFragment(), list = document.createElement('dl');
  part.append(heading('idle'));
  list.append(...line('start_s', 'start', duration(gap[0])),
    ...line('duration_s', 'duration', duration(gap[1] - gap[0])),
    ...line('wait_s', 'message under way', duration(wait)));
  part.append(list);
  return part;
}

/** What a counter stands at. */
function counterElement({ heading: title, facts }) {
  const part = document.createDocumentFragment(), list = document.createElement('dl');
  part.append(heading(title));
  for (const [key, name, text] of facts) list.append(...line(key, name, text));
  part.append(list);
  return part;
}

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

/** Fill the card with what is hovered (`{ trace, row }` or a gap), else chosen, else a hint.
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
  card.replaceChildren(what.counter ? counterElement(what) : what.gap ? gapElement(what)
    : factsElement(what.trace, what.row));
  if (traces.length > 1) {
    const name = document.createElement('small');
    name.className = 'whose';
    name.textContent = what.trace.name;
    card.prepend(name);
  }
}
