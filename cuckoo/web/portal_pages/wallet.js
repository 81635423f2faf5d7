// Who signs: a wallet in this browser (EIP-6963, EIP-1193), or the program that serves these pages.

import { say } from "./words.js";

export const state = { session: null, provider: null, address: null, chain: null, wallets: new Map() };

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());

export const hex = (number) => `0x${BigInt(number).toString(16)}`;

export function begin(session) {
  state.session = session;
  if (session.signing === "key") {
    state.address = session.address;
    return;
  }
  window.addEventListener("eip6963:announceProvider", ({ detail }) => {
    if (!detail?.info?.uuid || !detail.provider) return;
    state.wallets.set(detail.info.uuid, detail);
    if (localStorage.getItem("wallet") === detail.info.rdns && !state.provider) use(detail, false).catch(() => {});
    changed();
  });
  window.dispatchEvent(new Event("eip6963:requestProvider"));
}

// Takes a wallet; asks for its accounts only when `ask`: after a reload it is there again without a question.
export async function use({ info, provider }, ask = true) {
  const accounts = await provider.request({ method: ask ? "eth_requestAccounts" : "eth_accounts" });
  if (!accounts.length) return;
  Object.assign(state, { provider, address: accounts[0], chain: Number(await provider.request({ method: "eth_chainId" })) });
  localStorage.setItem("wallet", info.rdns ?? "");
  provider.on?.("accountsChanged", (found) => { state.address = found[0] ?? null; if (!found.length) state.provider = null; changed(); });
  provider.on?.("chainChanged", (chain) => { state.chain = Number(chain); changed(); });
  provider.on?.("disconnect", () => forget());
  changed();
}

export function forget() {
  Object.assign(state, { provider: null, address: null, chain: null });
  localStorage.removeItem("wallet");
  changed();
}

export const wrongNetwork = () => state.provider !== null && state.chain !== state.session.chain_id;

export async function switchNetwork() {
  const { chain_id, network, rpc_url } = state.session;
  try {
    await state.provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: hex(chain_id) }] });
  } catch (error) {
    if (error.code !== 4902) throw error;
    await state.provider.request({
      method: "wallet_addEthereumChain",
      params: [{ chainId: hex(chain_id), chainName: `Cuckoo ${network}`, rpcUrls: [rpc_url], nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 } }],
    });
  }
}

// Sends one step; returns the hash of its transaction. A refusal in the wallet is told as such.
export async function send(step) {
  const transaction = { from: state.address, to: step.to, data: step.data, value: step.value };
  if (step.gas !== null) transaction.gas = hex(Math.ceil(step.gas * 1.25) + 100000);
  try {
    return await state.provider.request({ method: "eth_sendTransaction", params: [transaction] });
  } catch (error) {
    if (error.code === 4001) throw new Error(say("refusedInWallet"));
    if (/insufficient funds/i.test(error.message ?? "")) throw new Error(say("noGas"));
    throw error;
  }
}

const DROPPED_MS = 60000;

// How a transaction stands: waiting, done, failed, replaced by another one of the same wallet, or unknown to the network.
export async function standing({ hash, from, nonce, at }) {
  const receipt = await state.provider.request({ method: "eth_getTransactionReceipt", params: [hash] });
  if (receipt) return receipt.status === "0x1" ? "done" : "failed";
  const known = await state.provider.request({ method: "eth_getTransactionByHash", params: [hash] });
  if (known || nonce === null) return "waiting";
  const count = Number(await state.provider.request({ method: "eth_getTransactionCount", params: [from, "latest"] }));
  if (count > nonce) return "replaced";
  return Date.now() - (at ?? 0) > DROPPED_MS ? "dropped" : "waiting";
}

export async function nonceOf(hash) {
  const known = await state.provider.request({ method: "eth_getTransactionByHash", params: [hash] });
  return known ? Number(known.nonce) : null;
}
