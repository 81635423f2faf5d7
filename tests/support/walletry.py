"""A wallet in a browser (EIP-1193, announced by EIP-6963) with a key of the test's, on a real chain."""

import json
import secrets

from eth_account import Account

ANNOUNCE = """
(() => {
  const listeners = {};
  const provider = {
    async request({ method, params = [] }) {
      const told = JSON.parse(await window.askWallet(method, JSON.stringify(params)));
      if (told.error) throw Object.assign(new Error(told.error.message), { code: told.error.code });
      return told.result;
    },
    on(name, listener) { (listeners[name] ??= []).push(listener); },
  };
  window.walletSays = (name, value) => (listeners[name] ?? []).forEach((listener) => listener(value));
  const detail = Object.freeze({ provider, info: { uuid: "7d1c", name: "Test wallet", icon: "data:,", rdns: "org.example.test" } });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


class BrowserWallet:
    """What stands behind the provider.

    Attributes:
        refuses: whether its owner presses "reject".
        chain_id: which network it is on.
    """

    def __init__(self, chain, key=None):
        self.chain = chain
        self.account = Account.from_key(key or secrets.token_bytes(32))
        self.address = self.account.address
        self.refuses = False
        self.connected = False
        self.chain_id = 31_337
        self.sent = []

    async def into(self, page):
        """Put it into a page, before its scripts run."""
        await page.expose_function("askWallet", self.ask)
        await page.add_init_script(ANNOUNCE)
        self.page = page

    async def says(self, name, value):
        """Tell the page of a change."""
        await self.page.evaluate("([name, value]) => window.walletSays(name, value)", [name, value])

    async def ask(self, method, parameters):
        try:
            return json.dumps({"result": await self._answer(method, json.loads(parameters))})
        except PermissionError as error:
            return json.dumps({"error": {"code": 4001, "message": str(error)}})
        except ValueError as error:
            return json.dumps({"error": {"code": -32_000, "message": str(error)}})

    async def _answer(self, method, parameters):
        match method:
            case "eth_requestAccounts":
                if self.refuses:
                    raise PermissionError("User rejected the request.")
                self.connected = True
                return [self.address]
            case "eth_accounts":
                return [self.address] if self.connected else []
            case "eth_chainId":
                return hex(self.chain_id)
            case "wallet_switchEthereumChain":
                self.chain_id = int(parameters[0]["chainId"], 16)
                await self.says("chainChanged", hex(self.chain_id))
                return None
            case "eth_sendTransaction":
                return await self._send(parameters[0])
            case _:
                return await self._pass_on(method, parameters)

    async def _pass_on(self, method, parameters):
        told = await self.chain.rpc(method, *parameters)
        if "error" in told:
            raise ValueError(told["error"]["message"])
        return told["result"]

    async def _send(self, wanted):
        if self.refuses:
            raise PermissionError("User rejected the request.")
        fees = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9, "type": 2, "chainId": self.chain_id}
        nonce = int(await self._pass_on("eth_getTransactionCount", [self.address, "pending"]), 16)
        gas = int(wanted["gas"], 16) if "gas" in wanted else 1_000_000
        fields = {"to": wanted["to"], "data": wanted["data"], "value": 0, "nonce": nonce, "gas": gas, **fees}
        signed = self.account.sign_transaction(fields)
        sent = await self._pass_on("eth_sendRawTransaction", ["0x" + bytes(signed.raw_transaction).hex()])
        self.sent.append(sent)
        return sent
