/** The search field: a mini-batch, a box by its name, or an instruction of the program's text. */

const BOX = /^([FBIWU])(\d+)(?:\.(\d+))?(?:\s*(?:@|on stage|stage)\s*(\d+))?$/i;
const TEXT = /^(\d+)(SEND_F|RECV_F|SEND_B|RECV_B|[FBIWU])(\d+)(?:-(\d+))?$/i;
const FORMS = 'write a mini-batch (17), a box (F17, F17.2, B17@3) or an instruction (0F16)';

/** What a text asks for: `{ minibatch }`, `{ hits }` (spans in the order they start), or
 *  `{ wrong }`, a line that says why there is nothing. */
function searched(text, traces) {
  const wanted = text.trim(), box = BOX.exec(wanted), instructed = TEXT.exec(wanted);
  const most = Math.max(...traces.map((trace) => trace.minibatches));
  const number = /^\d+$/.test(wanted) ? Number(wanted) : box ? Number(box[2]) : null;
  if (number !== null && (number < 1 || number > most)) {
    return { wrong: `there is no mini-batch ${number}: they are 1 to ${most}` };
  }
  if (number !== null && !box) return { minibatch: number };
  if (!box && !instructed) return { wrong: wanted ? `“${wanted}” is nothing to look for: ${FORMS}` : FORMS };
  const hits = traces.filter((trace) => !trace.hidden).flatMap((trace) =>
    (box ? named(trace, box, number) : written(trace, instructed))
      .sort((a, b) => trace.start_s[a] - trace.start_s[b]).map((row) => ({ trace, row })));
  return hits.length ? { hits } : { wrong: `no span is called ${wanted}` };
}

/** Rows a box's name stands for: of every stage and micro-batch it does not tell apart. */
function named(trace, [, op, , micro, stage], minibatch) {
  return rowsOf(trace, minibatch).filter((row) => OPS[trace.op[row]] === op.toUpperCase()
    && (stage === undefined || trace.stage[row] === Number(stage))
    && (micro === undefined || covers(trace, row, (minibatch - 1) * trace.microbatches + Number(micro))));
}

const covers = (trace, row, index) => trace.index[row] <= index && index < trace.index[row] + trace.count[row];

/** Rows an instruction of the program's text stands for. */
function written(trace, [, stage, op, first, last = first]) {
  const minibatch = Math.floor(Number(first) / trace.microbatches) + 1;
  if (minibatch > trace.minibatches) return [];
  return rowsOf(trace, minibatch).filter((row) => trace.stage[row] === Number(stage)
    && OPS[trace.op[row]] === op.toUpperCase() && trace.index[row] === Number(first)
    && trace.index[row] + trace.count[row] - 1 === Number(last));
}

/** Let the field search: Enter goes to what it names, and again to the next of the same name. */
function listenToSearch(state, acts, form, say) {
  const field = form.querySelector('input'), answer = form.querySelector('output');
  let last = { text: null, hits: [], at: -1 };
  const tell = (text, wrong) => {
    answer.textContent = text;
    answer.classList.toggle('wrong', wrong);
    field.setAttribute('aria-invalid', wrong);
    if (wrong) say(text);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const found = searched(field.value, state.traces);
    if (found.wrong) {
      tell(found.wrong, true);
      return;
    }
    if (found.minibatch) {
      tell('', false);
      acts.show(found.minibatch);
      return;
    }
    const at = last.text === field.value ? (last.at + 1) % found.hits.length : 0, hit = found.hits[at];
    last = { text: field.value, at };
    tell(found.hits.length > 1 ? `${at + 1} of ${found.hits.length}` : '', false);
    acts.choose(hit);
    acts.select(minibatchOf(hit.trace, hit.row), { tell: false });
  });
  field.addEventListener('input', () => tell('', false));
}
