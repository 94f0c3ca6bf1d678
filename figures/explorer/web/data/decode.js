/** From the text in the page back to typed arrays: the inverse of columns.py. */

const ARRAYS = { int8: Int8Array, int16: Int16Array, int32: Int32Array, float64: Float64Array };

/** A trace as it lies in the page, with a typed array per column added under its name. */
async function decode(packed) {
  const stored = packed.columns.filter(([, kind]) => ARRAYS[kind]);
  const widths = stored.map(([, kind]) => ARRAYS[kind].BYTES_PER_ELEMENT);
  const size = packed.rows * widths.reduce((sum, width) => sum + width, 0);
  const bytes = await inflated(fromBase64(packed.deflated), size);
  if (bytes.length !== size) throw new Error(`${packed.name}: the data in this page is damaged`);
  const trace = { ...packed, deflated: null };
  let offset = 0;
  stored.forEach(([name, kind], i) => {
    trace[name] = column(bytes, offset, packed.rows, widths[i], ARRAYS[kind]);
    offset += packed.rows * widths[i];
  });
  for (const [name, kind] of packed.columns) {
    if (Array.isArray(kind)) trace[name] = constant(kind[0], packed.rows);
    else if (!ARRAYS[kind]) trace[name] = trace[kind];
  }
  return trace;
}

/** A column that is one number throughout, or NaN where that is null. */
function constant(value, rows) {
  const small = Number.isInteger(value) && Math.abs(value) < 128;
  return new (small ? Int8Array : Float64Array)(rows).fill(value ?? NaN);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflated(bytes, size) {
  if (typeof DecompressionStream === 'undefined') return inflate(bytes, size);
  const out = new Uint8Array(size);
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  for (let at = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return at === size ? out : out.subarray(0, at);
    if (at + value.length > size) throw new Error('the data in this page is damaged');
    out.set(value, at);
    at += value.length;
  }
}

/** One column whose bytes lie transposed: first the first byte of every row, and so on. */
function column(bytes, offset, rows, width, Type) {
  const whole = new Uint8Array(rows * width);
  if (width === 1) whole.set(bytes.subarray(offset, offset + rows));
  else if (width === 8) gather(bytes, offset, rows, new Uint32Array(whole.buffer));
  else {
    for (let byte = 0; byte < width; byte++) {
      const from = offset + byte * rows;
      for (let row = 0, to = byte; row < rows; row++, to += width) whole[to] = bytes[from + row];
    }
  }
  return new Type(whole.buffer);
}

/** The eight bytes of every row as two words, low first: one pass instead of eight. */
function gather(bytes, offset, rows, words) {
  const plane = Array.from({ length: 8 }, (_, byte) =>
    bytes.subarray(offset + byte * rows, offset + (byte + 1) * rows));
  const [a, b, c, d, e, f, g, h] = plane;
  for (let row = 0, to = 0; row < rows; row++, to += 2) {
    words[to] = a[row] | (b[row] << 8) | (c[row] << 16) | (d[row] << 24);
    words[to + 1] = e[row] | (f[row] << 8) | (g[row] << 16) | (h[row] << 24);
  }
}
