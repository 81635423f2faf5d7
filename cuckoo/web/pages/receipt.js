// Receipts, checked by this browser: what docs/protocol.md fixes, and nothing that the coordinator says about it.

import { sha256 } from "./vendor/noble-hashes/sha2.js";
import { keccak_256 as keccak } from "./vendor/noble-hashes/sha3.js";
import { recoverPublicKey } from "./vendor/noble-secp256k1/index.js";
import { pixels } from "./png.js";

// EIP-712. The fields stand as in docs/protocol.md; values come as in the JSON of the API: names_like_this, hex without 0x.

export const FIELDS = {
  TaskParameters: "bytes32 salt,string mode,bytes32 modelDigest,string prompt,string negativePrompt,uint32 widthPx,uint32 heightPx,uint16 pictures,uint16 steps,string scheduler,uint32 guidanceThousandths,uint64 seed,bytes32 sourceHash,bytes32 maskHash,uint32 strengthMillionths,bytes32 lorasHash,bool reproducible",
  Assignment: "uint32 coordinatorNode,uint32 minerNode,bytes16 taskId,uint16 attempt,uint64 sequence,TaskParameters parameters,uint256 price,uint64 deadline,bytes32 seedTip,uint64 drawIndex,bytes32 drawHead,uint64 drawBlock",
  RuntimeProfile: "string device,string dtype,string torch,string attention,uint16 threads,string isa,uint16 batchBucket",
  Receipt: "bytes32 assignmentHash,bytes32[] pictureHashes,bytes32 latentsRoot,RuntimeProfile profile,uint64 finishedAt",
  EIP712Domain: "string name,string version,uint256 chainId,address verifyingContract",
};
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
const NO_BYTES = new Uint8Array(0);

const utf8 = (text) => new TextEncoder().encode(text);
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function bytesOf(hex, length) {
  if (typeof hex !== "string" || hex.length !== 2 * length || /[^0-9a-fA-F]/.test(hex)) throw new TypeError(`not ${length} bytes: ${hex}`);
  return Uint8Array.from({ length }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

const fieldsOf = (name) => FIELDS[name].split(",").map((field) => field.split(" "));
const inJson = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function typeString(name) {
  const inner = fieldsOf(name).map(([kind]) => kind).filter((kind) => kind in FIELDS);
  return [name, ...inner].map((one) => `${one}(${FIELDS[one]})`).join("");
}

function word(kind, value) {
  if (kind in FIELDS) return structHash(kind, value);
  if (kind === "string") return keccak(utf8(value));
  if (kind === "bytes32[]") return keccak(joined(value.map((one) => bytesOf(one, 32))));
  if (kind === "address") return joined([new Uint8Array(12), bytesOf(value.slice(2), 20)]);
  const [, family, size] = /^(bytes|uint|bool)(\d*)$/.exec(kind);
  if (family === "bytes") return joined([bytesOf(value, Number(size)), new Uint8Array(32 - size)]);
  const number = BigInt(value);
  if (number < 0n || number >> BigInt(size || 1)) throw new RangeError(`${value} is no ${kind}`);
  return bytesOf(number.toString(16).padStart(64, "0"), 32);
}

export function structHash(name, value) {
  const words = fieldsOf(name).map(([kind, field]) => word(kind, value[inJson(field)]));
  return keccak(joined([keccak(utf8(typeString(name))), ...words]));
}

export function digestOf(chainId, staking, hash) {
  const domain = { name: "Cuckoo", version: "1", chain_id: chainId, verifying_contract: staking };
  return keccak(joined([Uint8Array.of(0x19, 0x01), structHash("EIP712Domain", domain), hash]));
}

// Who signed a digest: 0x and 40 digits in lower case, or "" where no key can have made this signature.
export function signerOf(digest, signature) {
  try {
    const raw = bytesOf(signature, 65);
    if (![27, 28].includes(raw[64]) || BigInt(`0x${signature.slice(64, 128)}`) > HALF_ORDER) return "";
    const recovered = joined([Uint8Array.of(raw[64] - 27), raw.subarray(0, 64)]);
    const key = recoverPublicKey(recovered, digest, { prehash: false, isCompressed: false });
    return `0x${hexOf(keccak(key.subarray(1)).subarray(12))}`;
  } catch {
    return ""; // no such point, or no signature at all
  }
}

export async function pixelHash(file) {
  const { width, height, rgb } = await pixels(file);
  const sides = new DataView(new ArrayBuffer(8));
  sides.setUint32(0, height);
  sides.setUint32(4, width);
  return hexOf(sha256(joined([new Uint8Array(sides.buffer), rgb])));
}

// What was checked, in order: {name, ok, ...what to say about it}. Nothing is taken from `receipt` that is not compared.
//
// files: the PNG files as Uint8Array; receipt: of /v1/tasks/{task}/receipt; asked: what this browser or the task says was
// asked for, by the names of the parameters; miner, network: what the coordinator says of this miner and of itself.
export async function check({ task, files, receipt, asked, miner, network }) {
  const { assignment, receipt: signed } = receipt;
  const digest = (hash) => digestOf(network.chain_id, network.staking, hash);
  const same = (one, other) => one !== "" && one === String(other).toLowerCase();
  const assignmentHash = hashed("Assignment", assignment);
  const receiptHash = hashed("Receipt", signed);

  const receiptSigner = signerOf(digest(receiptHash), receipt.receipt_signature);
  const assignmentSigner = signerOf(digest(assignmentHash), receipt.assignment_signature);
  const ours = same(hexOf(assignmentHash), signed.assignment_hash) && assignment.task_id === task;
  const byCoordinator = assignment.coordinator_node === network.coordinator_node && same(assignmentSigner, network.operator);
  return [
    await picturesAsSigned(files, signed.picture_hashes, assignment.parameters),
    {
      name: "receipt", ok: ours && miner?.node_id === assignment.miner_node && same(receiptSigner, miner.operator),
      fault: ours ? "signer" : "assignment", node: assignment.miner_node, operator: miner?.operator ?? "?", signer: receiptSigner || "?",
    },
    { name: "assignment", ok: byCoordinator, operator: network.operator, signer: assignmentSigner || "?", node: network.coordinator_node },
    parametersAsAsked(asked, assignment.parameters),
  ];
}

// What can not be hashed is nobody's signed word.
function hashed(name, value) {
  try {
    return structHash(name, value);
  } catch {
    return NO_BYTES;
  }
}

async function picturesAsSigned(files, hashes, parameters) {
  const found = { name: "pixels", ok: files.length === hashes.length && files.length === parameters.pictures, number: files.length, hash: hashes[0] };
  for (const [at, file] of found.ok ? files.entries() : []) {
    const hash = await pixelHash(file).catch(() => ""); // what can not be decoded was not signed
    if (hash !== hashes[at]) return { ...found, ok: false, number: at + 1 };
  }
  return found;
}

function parametersAsAsked(asked, parameters) {
  for (const [field, wanted] of Object.entries(asked)) {
    if (String(parameters[field]) !== String(wanted)) {
      return { name: "parameters", ok: false, field, signed: String(parameters[field]), wanted: String(wanted) };
    }
  }
  return { name: "parameters", ok: true };
}
