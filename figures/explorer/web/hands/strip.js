/** Mouse and fingers on the strip of the whole run: move the window, take its edges, draw a new
 *  one; a click centres it, a double click shows everything. */

function listenToStrip(acts, canvas) {
  let grip = null, moved = 0, from = 0, before = null;
  const local = (event) => event.clientX - canvas.getBoundingClientRect().left;

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    from = local(event);
    grip = gripAt(from);
    moved = 0;
    before = { from: view.from, to: view.to };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const x = local(event);
    if (!grip) {
      canvas.dataset.grip = gripAt(x);
      return;
    }
    moved = Math.max(moved, Math.abs(x - from));
    if (moved > STILL) acts.look(...dragged(grip, before, from, x));
  });
  canvas.addEventListener('pointerup', (event) => {
    if (grip && moved <= STILL && grip !== 'move') {
      const middle = stripTime(local(event)), half = (view.to - view.from) / 2;
      acts.jump(middle - half, middle + half);
    }
    grip = null;
  });
  canvas.addEventListener('pointercancel', () => { grip = null; });
  canvas.addEventListener('dblclick', acts.fit);
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const unit = [1, 16, STRIP][event.deltaMode];
    acts.zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * unit)) * 0.0022),
      Math.min(Math.max(axisX(stripTime(local(event))), view.gutter), view.width - PAD));
  }, { passive: false });
}

/** What a press at `x` takes: an edge of the window, the window, or the run to draw a new one. */
function gripAt(x) {
  const [left, right] = windowEdges(), wide = right - left > 3 * EDGE;
  if (Math.abs(x - left) <= EDGE && (wide || x < left)) return 'left';
  if (Math.abs(x - right) <= EDGE && (wide || x > right)) return 'right';
  return x > left && x < right ? 'move' : 'new';
}

/** Both ends of the window after a drag from pixel `from` to `x`. */
function dragged(grip, before, from, x) {
  const by = stripTime(x) - stripTime(from);
  if (grip === 'move') return [before.from + by, before.to + by];
  if (grip === 'left') return [Math.min(before.from + by, before.to), before.to];
  if (grip === 'right') return [before.from, Math.max(before.to + by, before.from)];
  return [Math.min(stripTime(from), stripTime(x)), Math.max(stripTime(from), stripTime(x))];
}
