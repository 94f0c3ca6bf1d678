/** Mouse, pen and fingers on the lanes: hover, click, drag, measure, wheel, pinch. */

const STILL = 4; // pixels a click may move

function listenToPointer(state, acts, { canvas, hover }) {
  const fingers = new Map();
  let moved = 0, spreadBefore = 0, measured = null; // the fixed end while a stretch is measured
  const top = () => state.chart.scrollTop;
  const local = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  canvas.addEventListener('pointerdown', (event) => {
    fingers.set(event.pointerId, event);
    if (event.isPrimary) moved = 0;
    spreadBefore = apart(fingers);
    const [x, y] = local(event);
    measured = event.isPrimary && (event.shiftKey || onRuler(x, y))
      ? heldEnd(state.range, x, y) ?? edgeNear(state.traces, x, y, top()) : null;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId), [x, y] = local(event);
    if (!before) {
      canvas.classList.toggle('measuring', onRuler(x, y));
      hover(event, [x, y]);
      return;
    }
    fingers.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    moved += Math.abs(dx) + Math.abs(dy);
    if (moved <= STILL) return;
    hover(event, null);
    if (fingers.size > 1) {
      const now = apart(fingers);
      if (now > 0 && spreadBefore > 0) acts.zoom(spreadBefore / now, x);
      spreadBefore = now;
      return;
    }
    if (measured !== null) {
      const inside = Math.min(Math.max(x, view.gutter), view.width - PAD);
      acts.measure({ from: measured, to: edgeNear(state.traces, inside, y, top()) });
      return;
    }
    canvas.classList.add('moving');
    acts.pan(-dx);
    acts.scroll(-dy);
  });
  const lift = (event) => {
    fingers.delete(event.pointerId);
    canvas.classList.remove('moving');
  };
  canvas.addEventListener('pointerup', (event) => {
    lift(event);
    if (moved > STILL || event.button !== 0) return;
    const [x, y] = local(event);
    if (onRuler(x, y)) {
      acts.measure(null);
      return;
    }
    if (acts.head(x, y)) return;
    const found = spanAt(state.traces, x, y, top());
    if (found?.row !== undefined) acts.click(found);
    else acts.clear();
  });
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('pointerleave', (event) => hover(event, null));
  canvas.addEventListener('dblclick', (event) => acts.zoom(0.4, local(event)[0]));
  canvas.addEventListener('wheel', (event) => {
    const [x] = local(event), unit = [1, 16, view.height][event.deltaMode];
    if (x < view.gutter) return; // over the names the chart scrolls
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      acts.pan((event.deltaX || event.deltaY) * unit);
    } else acts.zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * unit)) * 0.0022), x);
  }, { passive: false });
}

/** Whether a point lies on the time axis, where a drag measures. */
const onRuler = (x, y) => y < AXIS && x >= view.gutter && x <= view.width - PAD;

/** The end that stays where a drag on the axis takes the other end of a measured stretch. */
function heldEnd(range, x, y) {
  if (!range || !onRuler(x, y)) return null;
  if (Math.abs(axisX(range.from) - x) <= SNAP) return range.to;
  return Math.abs(axisX(range.to) - x) <= SNAP ? range.from : null;
}

/** Pixels between two fingers. */
function apart(fingers) {
  if (fingers.size < 2) return 0;
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
}
