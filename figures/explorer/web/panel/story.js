/** A guided first view: one mini-batch's way through the pipeline, by the trace's own numbers. */

const SEEN = 'pipestale.story'; // under this name the browser remembers that it was shown

/** The steps of the guide through a trace: `{ title, text, rows, colour, all }`: what it says, the
 *  spans it speaks of, the colours it wants, and whether everything is shown. */
function storyOf(trace) {
  const minibatch = Math.min(trace.stages + 1, trace.minibatches), last = trace.stages - 1;
  const own = [...tripRows(trace, minibatch), ...updateRows(trace, minibatch)];
  const find = (ops, stage) => own.find((row) => ops.includes(trace.op[row]) && trace.stage[row] === stage);
  const way = { out: find([F], 0), turn: find([F], last), turned: find([B, I], last),
    home: find([B, I], 0), update: find([U], 0) };
  const steps = [opening(trace, minibatch)];
  if (way.out !== undefined) steps.push(leaving(trace, minibatch, way));
  if (last > 0 && way.out !== undefined && way.turn !== undefined) steps.push(arriving(trace, way));
  if (last > 0 && way.turn !== undefined && way.turned !== undefined) steps.push(turning(trace, way));
  if (way.out !== undefined && way.home !== undefined) steps.push(returning(trace, way));
  if (way.update !== undefined && way.out !== undefined) steps.push(updating(trace, way));
  steps.push(closing());
  return { minibatch, steps };
}

const readsText = (trace, row) => `${boxName(trace, row)} reads ${versionLabel(trace, row)}`;
const sameVersion = (trace, a, b) => trace.version_read[a] === trace.version_read[b];

function opening(trace, minibatch) {
  return { title: 'Lanes are devices, time runs to the right', rows: [], text:
    `F1 is the forward pass of mini-batch 1 on a stage, B1 its backward pass; a green mark is an update of the weights. Several mini-batches are under way at once, so weights change while one is on its way. Follow mini-batch ${minibatch}: it is drawn in full, its arrows show the way.` };
}

function leaving(trace, minibatch, { out }) {
  const version = trace.version_read[out], unit = unitLabel(trace, out);
  const means = version ? `the weights of stage 0 after ${updates(version)}` : 'the weights stage 0 started with';
  return { title: `Mini-batch ${minibatch} sets out`, rows: [out], text:
    `On stage 0 ${readsText(trace, out)}: v${version} is ${means}${unit && `, and ${unit} is the same version counted in SpecTrain’s time units, as the papers’ figures do`}.` };
}

function arriving(trace, { out, turn }) {
  const changed = !sameVersion(trace, out, turn);
  return { title: 'On the last stage', rows: [turn], text:
    `There ${readsText(trace, turn)}${changed ? `, though it set out with v${trace.version_read[out]}: by now this stage has been updated for other mini-batches. One forward pass, different ages of weights.` : ', the version it set out with.'}` };
}

function turning(trace, { turn, turned }) {
  const same = sameVersion(trace, turn, turned);
  return { title: 'The way back begins', rows: [turn, turned], text: same
    ? `${readsText(trace, turned)}, the weights its forward pass read: on the last stage nothing lies between the two.`
    : `${readsText(trace, turned)}, but its forward pass read v${trace.version_read[turn]}.` };
}

function returning(trace, { out, home }) {
  const same = sameVersion(trace, out, home);
  return { title: 'Back on stage 0', rows: [out, home], text: same
    ? `${readsText(trace, home)}, the version of its forward pass: this gradient is consistent.`
    : `${readsText(trace, home)}, but ${readsText(trace, out)}. One gradient from two versions of a stage: a discrepancy that weight stashing removes (the backward pass takes the old version again) and weight prediction makes small.` };
}

function updating(trace, { out, update }) {
  const late = trace.staleness[out], applied = trace.version_applied[update];
  return { title: 'What becomes of it', rows: [out, update], text:
    `Its update makes v${applied + 1} of v${applied}, ${late > 0 ? `with a gradient whose forward pass knew only v${trace.version_read[out]}: it is ${updates(late)} late. That is its staleness.` : 'the very version its forward pass read: its staleness is 0.'}` };
}

function closing() {
  return { title: 'The whole run by its staleness', rows: [], colour: 'staleness', all: true, text:
    'Every span is coloured by how many updates its weights were behind; the legend above has the numbers. Click any span for its mini-batch’s round trip, drag on the time axis to measure, press ? for all keys.' };
}

/** The guide: `start()` shows it in its section; `acts` do what its steps need. */
function makeStory(section, state, acts) {
  let story = null, at = 0, before = null;

  function go(step) {
    at = step;
    const { title, text, rows, colour, all } = story.steps[at], [trace] = unfolded(state.traces);
    acts.colour(colour ?? before);
    state.chosen = null;
    if (all) {
      state.minibatch = null;
      acts.fit();
    } else acts.show(story.minibatch);
    state.told = rows.map((row) => ({ trace, row }));
    fill(title, text);
    acts.say(`${title}. ${text}`);
  }

  function fill(title, text) {
    const head = document.createElement('h2'), words = document.createElement('p');
    const row = document.createElement('div'), count = document.createElement('small');
    head.textContent = title;
    words.textContent = text;
    count.textContent = `${at + 1} of ${story.steps.length}`;
    row.className = 'actions';
    const end = at === story.steps.length - 1;
    const next = button(end ? 'Done' : 'Next', () => (end ? finish() : go(at + 1)));
    next.className = 'primary';
    row.append(next, button('Back', () => go(at - 1), at === 0), ...(end ? [] : [button('Skip', finish)]), count);
    section.replaceChildren(head, words, row);
    section.hidden = false;
    next.focus({ preventScroll: true });
  }

  function finish() {
    acts.colour(before);
    Object.assign(state, { told: [], minibatch: null });
    section.hidden = true;
    story = null;
    acts.fit();
  }

  return {
    start() {
      const [trace] = unfolded(state.traces);
      if (!trace) return;
      remember();
      story = storyOf(trace);
      before = acts.colourNow();
      go(0);
    },
    /** Escape and the like: end it where it is shown. */
    end() {
      if (story) finish();
      return section.hidden;
    }};
}

/** Whether the guide shows itself: asked for in the address, or to who opens an explorer for the
 *  first time; never to a program that drives the browser. */
function storyWanted() {
  if (location.hash === '#story') return true;
  if (navigator.webdriver || location.hash.length > 1) return false;
  try {
    return !localStorage.getItem(SEEN);
  } catch {
    return false; // a browser that keeps nothing would show it every time
  }
}

function remember() {
  try {
    localStorage.setItem(SEEN, 'shown');
  } catch {
    // nothing can be kept here
  }
}
