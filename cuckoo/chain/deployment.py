"""Deploy the contracts to a chain; write and read the network file."""

import os
from pathlib import Path
from typing import Any

import msgspec

from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address
from cuckoo.domain.network import DEVNET_DRIP, Network, Parameters

SUPPLY = Wei(1_000_000_000 * CAI)
FAUCET_CAI = Wei(500_000_000 * CAI)
FAUCET_NATIVE = 1_000 * 10**18
DRIP_NATIVE = 10**18
DRIP_COOLDOWN_S = 60
_NOWHERE = Address("0x0000000000000000000000000000000000000000")


def undeployed(name: str, chain_id: int, rpc_urls: tuple[str, ...], parameters: Parameters) -> Network:
    """Describe a chain on which nothing is deployed yet, so that a client can be made for it."""
    return Network(
        name=name,
        chain_id=chain_id,
        rpc_urls=rpc_urls,
        token=_NOWHERE,
        staking=_NOWHERE,
        faucet=None,
        deploy_block=0,
        parameters=parameters,
    )


async def deploy_test_network(client: ChainClient, sender: Sender) -> Network:
    """Deploy token, Staking and a funded faucet; half of the supply stays with the deployer.

    Args:
        client: of an undeployed network; its parameters are used.
        sender: pays, and becomes owner of Staking and admin of the faucet.

    Returns:
        The network with its addresses.
    """
    network = client.network
    first_block = (await client.block()).number
    token = await _deploy(client, sender, "CuckooToken", [sender.address], [SUPPLY])
    parameters = tuple(msgspec.structs.astuple(network.parameters))
    staking = await _deploy(client, sender, "Staking", token, sender.address, parameters, [])
    faucet = await _deploy(
        client,
        sender,
        "Faucet",
        token,
        sender.address,
        DEVNET_DRIP,
        DRIP_NATIVE,
        DRIP_COOLDOWN_S,
        value=FAUCET_NATIVE,
    )
    contract = client.web3.eth.contract(on_chain(token), abi=load_artifact("CuckooToken").abi)
    await sender.send(contract.functions.transfer(faucet, FAUCET_CAI), "fund the faucet")
    return msgspec.structs.replace(network, token=token, staking=staking, faucet=faucet, deploy_block=first_block)


async def _deploy(client: ChainClient, sender: Sender, name: str, *arguments: Any, value: int = 0) -> Address:
    artifact = load_artifact(name)
    contract: Any = client.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    data = contract.constructor(*arguments).data_in_transaction
    receipt = await sender.send_raw({"data": data, "value": value}, f"deploy {name}")  # type: ignore[typeddict-item]
    address = receipt["contractAddress"]
    if address is None:
        raise ConfigError(f"deploy {name}: the chain gave no address")
    return Address(address)


def write_network(network: Network, path: Path) -> None:
    """Write the network file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(network), indent=2) + b"\n")
    partial.replace(path)


def read_network(path: Path) -> Network:
    """Read a network file.

    Raises:
        ConfigError: it is not there or is no network file; says what to do.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Network)
    except FileNotFoundError:
        raise ConfigError(
            f"read network file {path}: it is not there; start a local network with cuckoo devnet, "
            "or name a file with --network",
        ) from None
    except msgspec.MsgspecError as error:
        raise ConfigError(f"read network file {path}: {error}") from None
