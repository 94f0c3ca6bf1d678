/** The page put together: decode, draw, listen; and `window.pipestale` for whoever drives it. */

const element = (id) => document.getElementById(id);
const root = document.documentElement;
const given = {}; // what Python put into the page: colours, names, traces
const state = { traces: [], all: [], chart: element('chart'), minibatch: null, chosen: null, hovered: null,
  range: null, told: [], pointer: null, pointed: false };
const born = performance.now();
const shown = {}; // what the panel and the legend hold
let theme, modes, mode = 'pass', wanted = false;

/** Do something once the next frame has been shown. */
function afterFrame(act) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = act;
    channel.port2.postMessage(null);
  });
}

function colourBy(name) {
  mode = name;
  element('colour').value = name;
  fitBlocks();
  for (const trace of state.traces) addSums(trace, modes(mode));
  redraw();
}

/** Coloured by mini-batch, one colour stands for as many of them as can be told apart; gives
 *  whether that has changed. */
function fitBlocks() {
  if (mode !== 'minibatch') return false;
  const dense = crowded(state.traces, ratio()), pixels = 8; // a block is at least so wide
  const most = Math.max(...unfolded(state.traces).map((trace) => trace.minibatches / (trace.clock.by
    * (trace.extent.last - trace.extent.first))), 0) * ((view.to - view.from) / plotWidth());
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, most * pixels))));
  const block = dense ? power * STEPS.find((step) => step * power >= most * pixels) : 1;
  if (modes(mode).block === block) return false;
  modes(mode).block = block;
  return true;
}

function dress() {
  theme = readTheme();
  modes = colourModes(state.traces, theme.dark);
  colourBy(mode);
}

const ratio = () => devicePixelRatio || 1;

function sized(canvas, width, height) {
  canvas.width = Math.round(width * ratio());
  canvas.height = Math.round(height * ratio());
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}

/** Fit canvases and lanes to the window. */
function resize() {
  const { clientWidth: width, clientHeight: height } = state.chart;
  for (const name of ['spans', 'overlay']) sized(element(name), width, height);
  sized(element('strip'), width, STRIP);
  element('spacer').style.height = `${arrange(state.traces, width, height, gutter(width), below)}px`;
  redraw();
}

/** Room under a trace's lanes. */
const below = counterHeight;
const drawBelow = (pen, dressed, trace, y) => drawCounters(pen, dressed, trace, y, plotWidth());

/** Room for the longest lane name, within a quarter of the chart. */
function gutter(width) {
  const pen = element('spans').getContext('2d');
  pen.font = theme.font(14);
  const names = state.traces.flatMap((trace) => trace.lanes.map((lane) => lane.name));
  return Math.min(Math.max(...names.map((name) => pen.measureText(name).width), 60) + 20, width / 4);
}

function redraw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    draw();
  });
}

function draw() {
  const begun = performance.now();
  if (fitBlocks()) for (const trace of state.traces) addSums(trace, modes(mode));
  paint(element('spans').getContext('2d'), state.traces, theme, scene());
  paintOverview(element('strip').getContext('2d'), state.traces, theme, scene());
  answer();
  fillPanel();
  root.dataset.paintMs = (performance.now() - begun).toFixed(2);
}

/** What the canvases need to know besides traces and theme. */
function scene() {
  const key = [mode, modes(mode).block, theme.dark, view.width, view.gutter, view.first, view.last, ratio(),
    ...state.traces.map((trace) => [trace.name, trace.hidden, trace.clock.at, trace.clock.by])].join();
  return { ...state, top: state.chart.scrollTop, ratio: ratio(), key, faded: state.minibatch !== null,
    below: drawBelow, marks: drawMarks };
}

/** Whether a thing on the page must be made anew: what it shows is not what it showed. */
function stale(name, ...what) {
  const fresh = shown[name]?.every((each, i) => each === what[i]);
  shown[name] = what;
  return !fresh;
}

/** The legend and the panel's sections, each only when what it shows has changed. */
function fillPanel() {
  const { minibatch, chosen, range, traces } = state, dense = crowded(traces, ratio());
  if (stale('legend', mode, modes(mode), modes(mode).block, dense)) {
    drawLegend(element('legend'), mode, modes(mode), traces, theme.dark, dense);
  }
  const anew = stale('trip', minibatch);
  if (anew) showTrip(element('trip'), traces, minibatch, acts);
  if (stale('mark', chosen) || anew) markChosen(element('trip'), traces, chosen);
  if (stale('range', range)) showRange(element('range'), traces, range, acts);
  knowing.fill();
}

function say(text) {
  element('said').textContent = text;
}

/** What lies under the pointer now: the card and an outline; the picture below stays as it is. */
function answer() {
  const { pointer, pointed, chosen } = state;
  const found = pointed && pointer ? spanAt(state.traces, pointer.x, pointer.y, state.chart.scrollTop)
    ?? counterAt(state, pointer.x, pointer.y) : null;
  state.hovered = found?.row === undefined ? null : found;
  if (stale('card', found?.trace, found?.row ?? found?.gap?.[0] ?? found?.at, found?.lane ?? found?.heading, chosen)) {
    showCard(element('card'), state.traces, found, chosen);
  }
  paintOverlay(element('overlay').getContext('2d'), state.traces, theme, scene());
}

/** The pointer is over a point of the canvas, or (null) has left it. */
function hover(event, place) {
  state.pointer = place && { x: place[0], y: place[1] };
  state.pointed = true;
  answer();
  afterFrame(() => { root.dataset.hoverMs = (performance.now() - event.timeStamp).toFixed(2); });
}

const acts = Object.assign(makeActions(state, redraw, say), {
  say, colour: colourBy, colourNow: () => mode,
  search() {
    element('number').focus();
    element('number').select();
  },
  help() { element('help').showModal(); }});
const knowing = makeKnowing({ acts, say, redraw, resize, element, stale, looks: () => ({ theme,
  paintAll: (pen, fine) => paint(pen, state.traces, theme, { ...scene(), ratio: fine }),
  paintOver: (pen, fine) => paintOverlay(pen, state.traces, theme, { ...scene(), ratio: fine, hovered: null, pointer: null }) }) });
acts.head = (x, y) => clickHead(x, y, knowing);
const story = makeStory(element('story'), state, acts);

function listen() {
  listenToPointer(state, acts, { canvas: element('spans'), hover });
  listenToStrip(acts, element('strip'));
  listenToKeys(state, acts);
  listenToSearch(state, acts, element('goto'), say);
  state.chart.addEventListener('scroll', redraw);
  new ResizeObserver(resize).observe(state.chart);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', dress);
  element('colour').addEventListener('change', (event) => colourBy(event.target.value));
  element('theme').addEventListener('change', (event) => {
    root.dataset.theme = event.target.value;
    dress();
  });
  for (const [name, act] of Object.entries({ in: () => acts.zoom(0.6), out: () => acts.zoom(1 / 0.6),
    fit: acts.fit, back: acts.back, ask: acts.help })) element(name).addEventListener('click', act);
  element('tour').addEventListener('click', () => {
    element('help').close();
    story.start();
  });
}

/** What scripts and tests may ask; traces by number, rows as in the trace file. */
function offer() {
  window.pipestale = {
    traces: state.all.map(({ name, rows }) => ({ name, rows })),
    place(trace, row) {
      const frame = element('spans').getBoundingClientRect();
      const { x, y, width, height } = rectangle(state.all[trace], row, state.chart.scrollTop);
      return { x: frame.left + x, y: frame.top + y, width, height };
    },
    lanes: (trace) => state.all[trace].lanes.map(({ name, rows }) => ({ name, rows: [...rows] })),
    arrows: (trace, minibatch) => tripOf(state.all[trace], minibatch).arrows,
    units: (trace) => Array.from({ length: state.all[trace].rows }, (_, row) => timeUnit(state.all[trace], row)),
    column: (trace, name) => Array.from(state.all[trace][name]),
    reveal: (trace, row) => acts.choose({ trace: state.all[trace], row }),
    measure: (from, to) => acts.measure({ from, to }),
    look: acts.look,
    view: () => ({ from: view.from, to: view.to, minibatch: state.minibatch }),
    gutter: () => view.gutter, fit: acts.fit, select: acts.select, show: acts.show, clear: acts.clear };
}

async function main() {
  Object.assign(given, JSON.parse(element('data').textContent));
  takeNames(given.names);
  takeColours(given.colours);
  state.traces = await Promise.all(given.traces.map(decode));
  state.traces.forEach((trace, number) => {
    trace.number = number;
    trace.clock = { at: 0, by: 1 };
    addLanes(trace);
    addMinibatches(trace);
  });
  state.all = [...state.traces];
  element('spans').setAttribute('aria-label',
    `Timeline of ${state.traces.map((trace) => `${trace.name}: ${trace.facts}`).join('; ')}`);
  measure(state.traces);
  fit();
  dress();
  resize();
  listen();
  knowing.begin();
  offer();
  Object.assign(window.pipestale, knowing.offered);
  if (storyWanted()) story.start();
  afterFrame(() => {
    const lanes = state.traces.flatMap((trace) => trace.lanes);
    root.dataset.spans = lanes.reduce((sum, { boxes, ticks: marks }) => sum + boxes.length + marks.length, 0);
    root.dataset.openMs = (performance.now() - born).toFixed(1);
  });
}

main().catch((error) => {
  element('said').classList.remove('unseen');
  say(`This page could not be drawn: ${error.message}`);
  root.dataset.error = error.message;
});
