/** Keys of the page: they work wherever the focus is, but in a field or a list. */

const HOLD = 180; // ms after which a held key moves on
const RATE = { zoom: 2.2, pan: 0.9 }; // e-folds and widths a second while one is held

function listenToKeys(state, acts) {
  const far = () => plotWidth() / 8;
  const keys = {
    ArrowLeft: () => acts.pan(-far()), ArrowRight: () => acts.pan(far()),
    ArrowUp: () => acts.scroll(-view.lane), ArrowDown: () => acts.scroll(view.lane),
    '+': () => acts.zoom(0.7), '=': () => acts.zoom(0.7), '-': () => acts.zoom(1 / 0.7),
    '_': () => acts.zoom(1 / 0.7), Home: acts.fit, 0: acts.fit,
    n: () => acts.step(1), p: () => acts.step(-1), '.': () => acts.step(1), ',': () => acts.step(-1),
    j: () => acts.lane(1), k: () => acts.lane(-1), z: acts.zoomToTrip, f: acts.focus, m: acts.mark,
    ']': () => acts.select((state.minibatch ?? 0) + 1), '[': () => acts.select((state.minibatch ?? 2) - 1),
    Backspace: acts.back, b: acts.back, '/': acts.search, '?': acts.help,
    Enter: () => state.chosen && acts.select(minibatchOf(state.chosen.trace, state.chosen.row))};
  const glide = makeGlide(state, acts);

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const field = event.target.closest?.('input, select, textarea');
    if (event.key === 'Escape' && field) field.blur();
    else if (event.key === 'Escape') acts.clear();
    if (field) return;
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((pressed === 'Enter' || pressed === ' ') && event.target.closest?.('button, summary, a')) return;
    if (glide.down(pressed, event.repeat)) {
      event.preventDefault();
      return;
    }
    const act = keys[pressed];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener('keyup', (event) => glide.up(event.key.toLowerCase()));
  window.addEventListener('blur', glide.stop);
}

/** W, A, S and D: a step when pressed, and on and on while held; zoom is about the pointer. */
function makeGlide(state, acts) {
  const ways = {
    w: (by) => acts.zoom(Math.exp(-by * RATE.zoom), state.pointer?.x),
    s: (by) => acts.zoom(Math.exp(by * RATE.zoom), state.pointer?.x),
    a: (by) => acts.pan(-by * RATE.pan * plotWidth()),
    d: (by) => acts.pan(by * RATE.pan * plotWidth())};
  const held = new Map(); // key: when it was pressed
  let last = 0;

  function frame(now) {
    const by = Math.min(0.05, Math.max(0, (now - last) / 1000));
    last = now;
    for (const [key, since] of held) if (now - since > HOLD) ways[key](by);
    if (held.size) requestAnimationFrame(frame);
  }
  return {
    down(key, repeat) {
      if (!(key in ways)) return false;
      if (repeat || held.has(key)) return true;
      ways[key](0.16);
      if (!held.size) {
        last = performance.now();
        requestAnimationFrame(frame);
      }
      held.set(key, performance.now());
      return true;
    },
    up: (key) => held.delete(key),
    stop: () => held.clear()};
}
