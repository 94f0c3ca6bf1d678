/** Lanes as columns of pixels.
 *
 *  Where spans are wide each has its own colour.  Where several share a pixel, a column shows what
 *  lies under it by running sums: its height is the share of time in which something ran, split by
 *  what it was, or in the colour of the mean of a number (see colours.js).  A column costs two
 *  look-ups however many spans lie under it, so 10⁶ spans draw as fast as 10³, and none is left out.
 */

const CROWDED = 1.5; // fewer pixels a span than this: columns of shares
const SMOOTH = 24, WIDEST = 8; // spans (and at most pixels) a column looks at, against moiré

/** Running sums before each box of every lane, in the mode's own terms. */
function addSums(trace, mode) {
  for (const lane of trace.lanes) {
    const { boxes, start, end } = lane, { size } = mode;
    lane.mode = mode;
    lane.sums = new Float64Array(size * (boxes.length + 1));
    for (let i = 0, at = 0; i < boxes.length; i++, at += size) {
      for (let c = 0; c < size; c++) lane.sums[at + size + c] = lane.sums[at + c];
      mode.add(trace, boxes[i], end[i] - start[i], lane.sums, at + size);
    }
  }
}

/** How many of a lane's boxes lie between two times. */
const between = (lane, from, to) => Math.max(0, upper(lane.start, to) - upper(lane.end, from));

/** Pixels (of `width`) a column of this lane looks at; 0 where spans are wide enough for
 *  colours of their own. */
function reach(lane, from, to, width) {
  const apart = width / Math.max(1, between(lane, from, to));
  return apart < CROWDED ? Math.max(1, Math.min(WIDEST, SMOOTH * apart)) : 0;
}

/** A line of `width` pixels where spans are wide: every pixel has the colour of the span that
 *  fills most of it, its alpha is the share of it that is filled. */
function singles(trace, lane, from, to, width, pixels) {
  const step = (to - from) / width, { start, end, boxes } = lane;
  let first = upper(end, from);
  for (let x = 0; x < width; x++) {
    const left = from + x * step, right = left + step;
    first = gallop(end, left, first);
    if (first >= start.length) break;
    let most = 0, best = first, filled = 0;
    for (let i = first; i < start.length && start[i] < right; i++) {
      const seconds = Math.min(right, end[i]) - Math.max(left, start[i]);
      filled += seconds;
      if (seconds > most) [most, best] = [seconds, i];
    }
    if (!filled) continue;
    const alpha = Math.round(255 * Math.min(1, filled / step));
    pixels[x] = ((pack(lane.mode.of(trace, boxes[best])) & 0xffffff) | (alpha << 24)) >>> 0;
  }
}

/** `width` × `height` pixels of these lanes together between two times, a column of shares each;
 *  `near` is how many pixels' time a column looks at. */
function columns(trace, lanes, from, to, width, height, near, pixels) {
  const step = (to - from) / width, { mode } = lanes[0], half = ((near - 1) / 2) * step;
  const total = new Float64Array(mode.size), colours = new Uint32Array(mode.size + 1);
  const seconds = new Float64Array(mode.size + 1), whole = (step + 2 * half) * lanes.length;
  const firsts = lanes.map((lane) => upper(lane.end, from - half));
  for (let x = 0; x < width; x++) {
    const left = from + x * step - half, right = left + step + 2 * half;
    total.fill(0);
    lanes.forEach((lane, number) => {
      const first = gallop(lane.end, left, firsts[number]);
      firsts[number] = first;
      addBoxes(trace, lane, first, left, right, total);
    });
    const parts = mode.parts(total, colours, seconds);
    let sum = 0, bottom = height;
    for (let part = 0; part < parts; part++) {
      sum += Math.max(0, seconds[part]);
      const top = height - Math.round(Math.min(1, sum / whole) * height);
      for (let y = top; y < bottom; y++) pixels[y * width + x] = colours[part];
      bottom = Math.min(bottom, top);
    }
  }
}

/** Add the sums of a lane's boxes from `first` on between two times to `total`. */
function addBoxes(trace, lane, first, left, right, total) {
  const { sums, start, end, boxes, mode } = lane;
  if (first >= start.length || start[first] >= right) return;
  const last = gallop(start, right, first) - 1, { size } = mode;
  for (let c = 0; c < size; c++) total[c] += sums[size * (last + 1) + c] - sums[size * first + c];
  if (start[first] < left) mode.add(trace, boxes[first], start[first] - left, total, 0);
  if (end[last] > right) mode.add(trace, boxes[last], right - end[last], total, 0);
}

/** First position from `low` on whose value exceeds `value`, found near `low`. */
function gallop(values, value, low) {
  let step = 1, high = low;
  while (high < values.length && values[high] <= value) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  let stop = Math.min(high, values.length);
  while (low < stop) {
    const middle = (low + stop) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else stop = middle;
  }
  return low;
}
