// Answers calls of cuckoo/web/pages/receipt.js: standard input has a list of [function, ...arguments], bytes are {"hex": ...}.

import { text } from "node:stream/consumers";
import * as receipt from "../../cuckoo/web/pages/receipt.js";

const fromHex = (value) => Uint8Array.from(Buffer.from(value, "hex"));
const inwards = (_, value) => (typeof value?.hex === "string" ? fromHex(value.hex) : value);
const outwards = (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value);

const answers = [];
for (const [name, ...values] of JSON.parse(await text(process.stdin), inwards)) {
  try {
    answers.push(await receipt[name](...values));
  } catch (error) {
    answers.push({ refused: error.message });
  }
}
console.log(JSON.stringify(answers, outwards));
