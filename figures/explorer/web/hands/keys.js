/** Keys of the picture; all work while it has the focus, Escape everywhere. */

function listenToKeys(state, acts, canvas) {
  const far = () => plotWidth() / 8;
  const keys = {
    ArrowLeft: () => acts.pan(-far()), ArrowRight: () => acts.pan(far()),
    ArrowUp: () => acts.scroll(-view.lane), ArrowDown: () => acts.scroll(view.lane),
    '+': () => acts.zoom(0.7), '=': () => acts.zoom(0.7), '-': () => acts.zoom(1 / 0.7),
    '_': () => acts.zoom(1 / 0.7), Home: acts.fit, n: () => acts.step(1), p: () => acts.step(-1),
    j: () => acts.lane(1), k: () => acts.lane(-1), z: acts.zoomToTrip,
    Enter: () => state.chosen && acts.select(minibatchOf(state.chosen.trace, state.chosen.row))};
  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') acts.clear(); });
}
