/** From the text in the page back to typed arrays: the inverse of columns.py. */

const ARRAYS = { int8: Int8Array, int16: Int16Array, int32: Int32Array, float64: Float64Array };

/** A trace as it lies in the page, with a typed array per column added under its name. */
async function decode(packed) {
  const widths = packed.columns.map(([, type]) => ARRAYS[type].BYTES_PER_ELEMENT);
  const size = packed.rows * widths.reduce((sum, width) => sum + width, 0);
  const bytes = await inflated(fromBase64(packed.deflated), size);
  if (bytes.length !== size) throw new Error(`${packed.name}: the data in this page is damaged`);
  const trace = { ...packed, deflated: null };
  let offset = 0;
  packed.columns.forEach(([name, type], i) => {
    trace[name] = column(bytes, offset, packed.rows, widths[i], ARRAYS[type]);
    offset += packed.rows * widths[i];
  });
  return trace;
}

function fromBase64(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflated(bytes, size) {
  if (typeof DecompressionStream === 'undefined') return inflate(bytes, size);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One column whose bytes lie transposed: first the first byte of every row, and so on. */
function column(bytes, offset, rows, width, Type) {
  const whole = new Uint8Array(rows * width);
  for (let byte = 0; byte < width; byte++) {
    const from = offset + byte * rows;
    for (let row = 0, to = byte; row < rows; row++, to += width) whole[to] = bytes[from + row];
  }
  return new Type(whole.buffer);
}
