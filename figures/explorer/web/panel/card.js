/** The facts of a span as a list, in the tip by the pointer and in the panel. */

/** A heading and a definition list; every value carries its key for whoever reads the page. */
function factsElement(trace, row) {
  const part = document.createDocumentFragment(), list = document.createElement('dl');
  part.append(heading(`${instruction(trace, row)} · ${OP_WORDS[trace.op[row]]}`));
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

function heading(text) {
  const strong = document.createElement('strong');
  strong.textContent = text;
  return strong;
}

function line(key, name, text) {
  const term = document.createElement('dt'), value = document.createElement('dd');
  term.textContent = name;
  value.textContent = text;
  value.dataset.field = key;
  return [term, value];
}

/** Show the tip beside a point of the window, inside it; hide it where there is nothing. */
function showTip(tip, found, x, y) {
  tip.hidden = !found;
  if (!found) return;
  tip.replaceChildren(found.gap ? gapElement(found) : factsElement(found.trace, found.row));
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 16 + width > innerWidth - 8 ? x - 16 - width : x + 16;
  const above = y + 16 + height > innerHeight - 8 ? y - 12 - height : y + 16;
  tip.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, above)}px)`;
}
