/** The page put together: decode, draw, listen; and `window.pipestale` for whoever drives it. */

const element = (id) => document.getElementById(id);
const root = document.documentElement;
const given = {}; // what Python put into the page: colours, names, traces
const state = { traces: [], chart: element('chart'), minibatch: null, chosen: null, hovered: null };
const born = performance.now();
const shown = { minibatch: null, chosen: null }; // what the panel holds
let theme, modes, mode = 'pass', wanted = false, pointer = null;

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
  for (const trace of state.traces) addSums(trace, modes[mode].of);
  drawLegend(element('legend'), mode, modes, state.traces, theme.dark);
  redraw();
}

function dress() {
  theme = readTheme();
  modes = colourModes(state.traces, theme.dark);
  colourBy(mode);
}

/** Fit canvases and lanes to the window. */
function resize() {
  const { clientWidth: width, clientHeight: height } = state.chart, ratio = devicePixelRatio || 1;
  for (const canvas of [element('spans'), element('overlay')]) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  element('spacer').style.height = `${arrange(state.traces, width, height, gutter(width))}px`;
  redraw();
}

/** Room for the longest lane name, within a quarter of the chart. */
function gutter(width) {
  const pen = element('spans').getContext('2d');
  pen.font = theme.font(12);
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
  const dense = paint(element('spans').getContext('2d'), state.traces, theme, scene());
  element('mean').hidden = dense < 1;
  answer();
  fillPanel();
  root.dataset.paintMs = (performance.now() - begun).toFixed(2);
}

/** What the two canvases need to know besides traces and theme. */
function scene() {
  return { ...state, top: state.chart.scrollTop, ratio: devicePixelRatio || 1,
    colourOf: modes[mode].of, faded: state.minibatch !== null };
}

/** The panel's sections, each only when what it shows has changed. */
function fillPanel() {
  const { minibatch, chosen } = state;
  if (shown.minibatch !== minibatch) showTrip(element('trip'), state.traces, minibatch, acts);
  if (shown.chosen !== chosen) showChosen(element('chosen'), chosen);
  if (shown.minibatch !== minibatch || shown.chosen !== chosen) {
    markChosen(element('trip'), state.traces, chosen);
  }
  Object.assign(shown, { minibatch, chosen });
}

function say(text) {
  element('said').textContent = text;
}

/** What lies under the pointer now: the tip and an outline; the picture below stays as it is. */
function answer() {
  const found = pointer && spanAt(state.traces, pointer.x, pointer.y, state.chart.scrollTop);
  state.hovered = found?.row === undefined ? null : found;
  showTip(element('tip'), found, pointer?.clientX, pointer?.clientY);
  paintOverlay(element('overlay').getContext('2d'), state.traces, theme, scene());
}

/** The pointer is over a point of the canvas, or (null) has left it. */
function hover(event, place) {
  pointer = place && { x: place[0], y: place[1], clientX: event.clientX, clientY: event.clientY };
  answer();
  afterFrame(() => { root.dataset.hoverMs = (performance.now() - event.timeStamp).toFixed(2); });
}

const acts = makeActions(state, redraw, say);

function listen() {
  const canvas = element('spans');
  listenToPointer(state, acts, { canvas, hover });
  listenToKeys(state, acts, canvas);
  state.chart.addEventListener('scroll', redraw);
  new ResizeObserver(resize).observe(state.chart);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', dress);
  element('colour').addEventListener('change', (event) => colourBy(event.target.value));
  element('theme').addEventListener('change', (event) => {
    root.dataset.theme = event.target.value;
    dress();
  });
  element('in').addEventListener('click', () => acts.zoom(0.6));
  element('out').addEventListener('click', () => acts.zoom(1 / 0.6));
  element('fit').addEventListener('click', acts.fit);
  element('number').max = Math.max(...state.traces.map((trace) => trace.minibatches));
  element('goto').addEventListener('submit', (event) => {
    event.preventDefault();
    acts.show(Number(element('number').value));
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
    look(from, to) { look(from, to); redraw(); },
    view: () => ({ from: view.from, to: view.to, minibatch: state.minibatch }),
    fit: acts.fit, select: acts.select, clear: acts.clear };
}

async function main() {
  Object.assign(given, JSON.parse(element('data').textContent));
  state.traces = await Promise.all(given.traces.map(decode));
  state.traces.forEach((trace, number) => {
    trace.number = number;
    addLanes(trace);
    addMinibatches(trace);
  });
  state.all = [...state.traces];
  element('spans').setAttribute('aria-label',
    `Timeline of ${state.traces.map((trace) => `${trace.name}: ${trace.facts}`).join('; ')}`);
  measure(state.traces);
  dress();
  resize();
  fit();
  listen();
  offer();
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
