// The exact pixels of a PNG file as miners may send it: 8-bit RGB, not interlaced. A canvas may change them: for colour
// profiles, or on purpose, against fingerprinting.

const MAGIC = "137,80,78,71,13,10,26,10";
const PLAIN = ["IHDR", "IDAT", "IEND", "tEXt", "iTXt", "pHYs"]; // no other may tell a browser to show other colours
const DEPTH = 3; // bytes a pixel

// Returns {width, height, rgb}; rejects with a TypeError where the file is something else.
export async function pixels(file) {
  if (file.subarray(0, 8).join() !== MAGIC) throw new TypeError("no PNG file");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const parts = [];
  let [width, height] = [0, 0];
  for (let at = 8, length; at + 12 <= file.length; at += 12 + length) {
    length = view.getUint32(at);
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const data = file.subarray(at + 8, at + 8 + length);
    if (!PLAIN.includes(kind)) throw new TypeError(`a ${kind} chunk`);
    if (kind === "IHDR") {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      if (data.subarray(8).join() !== "8,2,0,0,0") throw new TypeError("not 8-bit RGB, or interlaced");
    } else if (kind === "IDAT") {
      parts.push(data);
    }
  }
  const raw = new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  if (!width || raw.length !== height * (width * DEPTH + 1)) throw new TypeError("not as many pixels as it says");
  return { width, height, rgb: unfiltered(raw, height, width * DEPTH) };
}

// Source: PNG third edition, 9.2.
function unfiltered(raw, height, row) {
  const rgb = new Uint8Array(height * row);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (row + 1)];
    for (let x = 0; x < row; x += 1) {
      const at = y * row + x;
      const left = x >= DEPTH ? rgb[at - DEPTH] : 0;
      const up = y ? rgb[at - row] : 0;
      const corner = y && x >= DEPTH ? rgb[at - row - DEPTH] : 0;
      rgb[at] = raw[y * (row + 1) + 1 + x] + predicted(filter, left, up, corner);
    }
  }
  return rgb;
}

function predicted(filter, left, up, corner) {
  switch (filter) {
    case 0: return 0;
    case 1: return left;
    case 2: return up;
    case 3: return (left + up) >> 1;
    case 4: {
      const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
      if (toLeft <= toUp && toLeft <= toCorner) return left;
      return toUp <= toCorner ? up : corner;
    }
    default: throw new TypeError(`filter ${filter}`);
  }
}

// Returns an opaque picture as a PNG file, a Blob; rgba as a canvas gives it. Without filters: it is sent once.
export async function pngOf({ width, height, data: rgba }) {
  const raw = new Uint8Array(height * (width * DEPTH + 1));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [from, to] = [4 * (y * width + x), y * (width * DEPTH + 1) + 1 + x * DEPTH];
      raw.set(rgba.subarray(from, from + DEPTH), to);
    }
  }
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint16(8, 0x0802); // 8 bits, RGB
  const data = await new Response(new Blob([raw]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
  const magic = Uint8Array.from(MAGIC.split(","));
  const chunks = [["IHDR", head.buffer], ["IDAT", data], ["IEND", new ArrayBuffer(0)]];
  return new Blob([magic, ...chunks.map(([kind, bytes]) => chunk(kind, new Uint8Array(bytes)))], { type: "image/png" });
}

function chunk(kind, data) {
  const whole = new Uint8Array(12 + data.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  whole.set(new TextEncoder().encode(kind), 4);
  whole.set(data, 8);
  view.setUint32(8 + data.length, crc32(whole.subarray(4, 8 + data.length)));
  return whole;
}

// Source: PNG third edition, annex D.
const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

const crc32 = (bytes) => ~bytes.reduce((crc, byte) => CRCS[(crc ^ byte) & 0xff] ^ (crc >>> 8), ~0) >>> 0;
