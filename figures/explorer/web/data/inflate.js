/** Inflating a zlib stream where the browser has no DecompressionStream (before 2023).
 *  Source: RFC 1950 and 1951. */

const LENGTH_BASE = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67,
  83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5,
  5, 5, 0];
const DISTANCE_BASE = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513,
  769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Bits of a byte array, least significant first. */
class Bits {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
    this.held = 0;
    this.count = 0;
  }

  take(wanted) {
    while (this.count < wanted) {
      this.held |= this.bytes[this.at++] << this.count;
      this.count += 8;
    }
    const value = this.held & ((1 << wanted) - 1);
    this.held >>>= wanted;
    this.count -= wanted;
    return value;
  }

  toByte() {
    this.held = this.count = 0;
  }
}

/** A Huffman code from its lengths: how many codes of each length, and the symbols in order. */
function huffman(lengths) {
  const counts = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  const next = new Uint16Array(16);
  for (let k = 1; k < 15; k++) next[k + 1] = next[k] + counts[k];
  lengths.forEach((length, symbol) => { if (length) symbols[next[length]++] = symbol; });
  return { counts, symbols };
}

function symbolOf(bits, { counts, symbols }) {
  let code = 0, first = 0, index = 0;
  for (let length = 1; length < 16; length++) {
    code |= bits.take(1);
    if (code - first < counts[length]) return symbols[index + code - first];
    index += counts[length];
    first = (first + counts[length]) << 1;
    code <<= 1;
  }
  throw new Error('damaged data: no such code');
}

const FIXED = [
  huffman(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
  huffman(new Array(30).fill(5))];

/** The two codes a dynamic block begins with. */
function dynamicCodes(bits) {
  const literals = bits.take(5) + 257, distances = bits.take(5) + 1, codes = bits.take(4) + 4;
  const first = new Array(19).fill(0);
  for (let i = 0; i < codes; i++) first[CODE_ORDER[i]] = bits.take(3);
  const code = huffman(first), lengths = [];
  while (lengths.length < literals + distances) {
    const symbol = symbolOf(bits, code);
    if (symbol < 16) {
      lengths.push(symbol);
      continue;
    }
    const value = symbol === 16 ? lengths[lengths.length - 1] : 0;
    const times = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3)
      : 11 + bits.take(7);
    for (let i = 0; i < times; i++) lengths.push(value);
  }
  return [huffman(lengths.slice(0, literals)), huffman(lengths.slice(literals))];
}

/** The bytes of a zlib stream that inflates to `size` bytes. */
function inflate(bytes, size) {
  const out = new Uint8Array(size), bits = new Bits(bytes, 2);
  let end = 0, last = 0;
  while (!last) {
    last = bits.take(1);
    const kind = bits.take(2);
    if (kind === 0) {
      bits.toByte();
      const length = bytes[bits.at] | (bytes[bits.at + 1] << 8);
      out.set(bytes.subarray(bits.at + 4, bits.at + 4 + length), end);
      bits.at += 4 + length;
      end += length;
      continue;
    }
    const [literal, distance] = kind === 1 ? FIXED : dynamicCodes(bits);
    for (let symbol = symbolOf(bits, literal); symbol !== 256; symbol = symbolOf(bits, literal)) {
      if (symbol < 256) {
        out[end++] = symbol;
        continue;
      }
      const length = LENGTH_BASE[symbol - 257] + bits.take(LENGTH_EXTRA[symbol - 257]);
      const far = symbolOf(bits, distance);
      const back = DISTANCE_BASE[far] + bits.take(far < 4 ? 0 : (far >> 1) - 1);
      for (let i = 0; i < length; i++, end++) out[end] = out[end - back];
    }
  }
  return out;
}
