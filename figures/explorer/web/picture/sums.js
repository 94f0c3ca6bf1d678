/** Any stretch of a lane as one colour: the mean of the spans in it, by running sums.
 *
 *  A pixel costs two look-ups however many spans lie under it, so 10⁵ spans draw as fast as 10³,
 *  and none is left out.  Means are taken in linear light, as the eye does from afar.
 */

const LINEAR = Float64Array.from({ length: 256 }, (_, v) =>
  (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));

function gamma(light) {
  return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
}

/** Running sums of seconds and colour × seconds before each box; `colourOf(row)` is [r, g, b]. */
function addSums(trace, colourOf) {
  for (const lane of trace.lanes) {
    const size = lane.boxes.length;
    lane.colour = new Uint8Array(3 * size);
    lane.sums = new Float64Array(4 * (size + 1));
    for (let i = 0; i < size; i++) {
      const rgb = colourOf(trace, lane.boxes[i]), seconds = lane.end[i] - lane.start[i];
      lane.sums[4 * i + 4] = lane.sums[4 * i] + seconds;
      for (let c = 0; c < 3; c++) {
        lane.colour[3 * i + c] = rgb[c];
        lane.sums[4 * i + 5 + c] = lane.sums[4 * i + 1 + c] + seconds * LINEAR[rgb[c]];
      }
    }
  }
}

/** Write `width` pixels (RGBA, from byte `at`) of the lane between two times; alpha is the share
 *  of the pixel's time in which something ran. */
function strip(lane, from, to, width, bytes, at) {
  const step = (to - from) / width, total = new Float64Array(4);
  let first = upper(lane.end, from);
  for (let x = 0; x < width; x++, at += 4) {
    const left = from + x * step, right = left + step;
    first = gallop(lane.end, left, first);
    if (first >= lane.start.length) break;
    if (lane.start[first] >= right) continue;
    mean(lane, first, gallop(lane.start, right, first) - 1, left, right, total);
    for (let c = 0; c < 3; c++) bytes[at + c] = gamma(total[c + 1] / total[0]);
    bytes[at + 3] = 255 * Math.min(1, total[0] / step);
  }
}

/** Seconds and colour × seconds of boxes `first … last` between two times. */
function mean(lane, first, last, left, right, total) {
  const { sums, start, end, colour } = lane;
  const early = Math.max(0, left - start[first]), late = Math.max(0, end[last] - right);
  if (first === last) {
    total[0] = Math.min(right, end[first]) - Math.max(left, start[first]);
    for (let c = 0; c < 3; c++) total[c + 1] = total[0] * LINEAR[colour[3 * first + c]];
    return;
  }
  for (let c = 0; c < 4; c++) {
    const [begin, stop] = c === 0 ? [1, 1]
      : [LINEAR[colour[3 * first + c - 1]], LINEAR[colour[3 * last + c - 1]]];
    total[c] = sums[4 * last + 4 + c] - sums[4 * first + c] - early * begin - late * stop;
  }
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
