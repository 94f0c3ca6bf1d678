/** Mouse, pen and fingers: hover, click, drag, wheel, pinch. */

const STILL = 4; // pixels a click may move

function listenToPointer(state, acts, { canvas, hover }) {
  const fingers = new Map();
  let moved = 0, spreadBefore = 0;
  const local = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  canvas.addEventListener('pointerdown', (event) => {
    fingers.set(event.pointerId, event);
    if (event.isPrimary) moved = 0;
    spreadBefore = apart(fingers);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) {
      hover(event, local(event));
      return;
    }
    fingers.set(event.pointerId, event);
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    moved += Math.abs(dx) + Math.abs(dy);
    if (moved <= STILL) return;
    canvas.classList.add('moving');
    hover(event, null);
    if (fingers.size > 1) {
      const now = apart(fingers);
      if (now > 0 && spreadBefore > 0) acts.zoom(spreadBefore / now, local(event)[0]);
      spreadBefore = now;
      return;
    }
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
    const found = spanAt(state.traces, ...local(event), state.chart.scrollTop);
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

/** Pixels between two fingers. */
function apart(fingers) {
  if (fingers.size < 2) return 0;
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
}
