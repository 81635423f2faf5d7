"""``cuckoo devnet``, ``coordinator``, ``miner``, ``staker``, and ``run`` for several of them in one process."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from cuckoo.cli.apikeys import api_keys
from cuckoo.cli.backups import backup_command, restore_command
from cuckoo.cli.demand import demand
from cuckoo.cli.doctor import doctor
from cuckoo.cli.downloads import download_bar
from cuckoo.cli.earnings import earnings
from cuckoo.cli.idle import why_idle
from cuckoo.cli.moderation import list_takedowns, reports, takedown
from cuckoo.cli.options import (
    Place,
    chain_options,
    examples,
    key_options,
    network_option,
    password_option,
    place_options,
)
from cuckoo.cli.output import note
from cuckoo.cli.serving import log_options, serve
from cuckoo.cli.wallet import find_key
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.settings import CoordinatorSettings, MinerSettings, StakerSettings

if TYPE_CHECKING:
    from cuckoo.roles.chain import Chain
    from cuckoo.roles.compose import OpenRole
    from cuckoo.runtime.service import Service

Command = TypeVar("Command", bound=Callable[..., Any])
OpenOnChain = Callable[["Chain"], AbstractAsyncContextManager[Sequence["Service"]]]

DEVNET_GRACE_S = 1.0


@click.command(epilog=examples("cuckoo devnet", "cuckoo devnet --port 0 --network /tmp/my-chain.json"))
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8545,
    show_default=True,
    help="RPC port on loopback; 0 picks a free one.",
)
@log_options
@network_option
@place_options
def devnet(place: Place, port: int, **logging: Any) -> None:
    """Start a local chain with the contracts deployed, and write its network file.

    The chain lives as long as this command. Everything else finds it through the network file, so a second terminal
    needs no flag at all.
    """
    from cuckoo.roles.devnet import open_devnet

    note(f"a chain of your own, network file {place.network_file}; Ctrl-C ends it")
    serve([("devnet", lambda: open_devnet(port, place.network_file))], grace_s=DEVNET_GRACE_S, **logging)


def _settings_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


GRACE = click.option("--grace", "grace_s", type=float, metavar="SECONDS", help="What runs may finish at a stop.")
COORDINATOR_OPTIONS = _settings_options(
    click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]"),
    click.option("--port", type=int, help="Port to listen on.  [default: 8080]"),
    click.option("--tls-certificate", metavar="FILE", help="Certificate and its chain (PEM), to serve HTTPS."),
    click.option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM)."),
    click.option(
        "--public-url", metavar="URL", help="How miners and apps reach it.  [default: its introduction's URL]"
    ),
    click.option(
        "--open/--no-open",
        "open",
        default=None,
        help="Whether apps need no API key.  [default: open on the devnet only]",
    ),
)
MINER_OPTIONS = _settings_options(
    click.option(
        "--device", "devices", multiple=True, metavar="NAME", help="cuda:0, cpu, ...; repeat it.  [default: auto]"
    ),
    click.option(
        "--model", "models", multiple=True, metavar="NAME", help="A model to serve; repeat it.  [default: emoji-64]"
    ),
    click.option("--threads", type=int, help="CPU threads of a worker on the CPU.  [default: shares the cores]"),
    click.option(
        "--redeem-on-exit", is_flag=True, default=None, help="Redeem all vouchers at a stop, within the grace period."
    ),
    click.option("--metrics", metavar="HOST:PORT", help="Serve Prometheus metrics there.  [default: none]"),
    click.option("--cheat", hidden=True, help="Cheat in this way: for the demo and for tests, on a devnet."),
)


@click.group(
    invoke_without_command=True,
    epilog=examples("cuckoo coordinator --key server", "cuckoo coordinator keys create shop"),
)
@COORDINATOR_OPTIONS
@GRACE
@log_options
@key_options
@chain_options
@place_options
def coordinator(place: Place, grace_s: float | None, **rest: Any) -> None:
    """Offer an image API to apps, served by the miners that sign in.

    --key is the operator's key of an eligible coordinator; it needs a little gas, to commit the seed of its draws.
    """
    if _is_for_subcommand():
        return
    logging, flags = _split(rest)
    _serve(place, {"coordinator": _coordinator(place, place.key, grace_s=grace_s, **flags)}, logging)


@click.group(
    invoke_without_command=True,
    epilog=examples("cuckoo miner --key rig", "cuckoo miner --key ./rig.json --device cuda:0 --device cuda:1"),
)
@MINER_OPTIONS
@GRACE
@log_options
@key_options
@chain_options
@place_options
def miner(place: Place, grace_s: float | None, **rest: Any) -> None:
    """Draw pictures for coordinators, with this machine's GPU or CPU.

    --key is the operator's key of an eligible miner. Coordinators are found on the chain.
    """
    if _is_for_subcommand():
        return
    logging, flags = _split(rest)
    _serve(place, {"miner": _miner(place, place.key, grace_s=grace_s, **flags)}, logging)


coordinator.add_command(api_keys)
coordinator.add_command(backup_command)
coordinator.add_command(restore_command)
coordinator.add_command(reports)
coordinator.add_command(takedown)
coordinator.add_command(list_takedowns)
miner.add_command(earnings)
miner.add_command(demand)
miner.add_command(doctor)
miner.add_command(why_idle)


@click.command(
    epilog=examples("cuckoo staker --key alice", "cuckoo staker --key alice --auto-compound", "cuckoo staker --no-key")
)
@click.option("--host", metavar="ADDRESS", help="Where the portal listens.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="The portal's port.  [default: 8090]")
@click.option("--portal/--no-portal", default=None, help="Whether to serve the staking portal.  [default: it does]")
@click.option("--no-key", is_flag=True, help="Only serve the portal, for wallets in browsers.")
@click.option("--interval", "interval_s", type=float, metavar="SECONDS", help="How often it looks.  [default: 10]")
@click.option(
    "--auto-compound",
    is_flag=True,
    default=None,
    help="Claim rewards and vote with them again for the node that paid them.  [default: off]",
)
@click.option("--compound-at", metavar="CAI", help="Rewards of a node must be worth so much for that.  [default: 10]")
@log_options
@key_options
@chain_options
@place_options
def staker(place: Place, *, no_key: bool, **rest: Any) -> None:
    """Serve the staking portal, and watch over a wallet's stake.

    It releases what is free, and reports slashes, lost weight and rising commissions. What the portal's pages ask for
    is signed with --key after you have confirmed it there; with --no-key by the wallet in your browser.
    """
    logging, flags = _split(rest)
    _serve(place, {"staker": _staker(place, place.key, no_key=no_key, **flags)}, logging)


@click.command(
    epilog=examples(
        "cuckoo run --role coordinator --coordinator-key server --role miner --miner-key rig",
        "cuckoo run --role miner --miner-key rig --role staker --staker-key alice",
    )
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(["coordinator", "miner", "staker"]),
    help="A role to run; repeat it.",
)
@click.option("--coordinator-key", default="", metavar="KEY", help="The coordinator's operator key.")
@click.option("--miner-key", default="", metavar="KEY", help="The miner's operator key.")
@click.option("--staker-key", default="", metavar="KEY", help="The staker's key.")
@log_options
@password_option
@chain_options
@place_options
def run(place: Place, roles: Sequence[str], **rest: Any) -> None:
    """Run several roles in one process. Their settings come from the environment and the configuration file."""
    logging, keys = _split(rest)
    openers: dict[str, tuple[OpenOnChain, float]] = {}
    for role in roles:
        key = keys[f"{role}_key"] or place.key
        if not key:
            raise ConfigError(f"run a {role}: name its key with --{role}-key")
        if role in openers:
            raise ConfigError(f"run a {role}: it is named twice; one process runs one of each")
        openers[role] = _OPENERS[role](place, key)
    _serve(place, openers, logging)


def _is_for_subcommand() -> bool:
    """Tell whether a subcommand follows; raises UsageError for options that stand before it."""
    ctx = click.get_current_context()
    if not ctx.invoked_subcommand:
        return False
    if any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in ctx.params):
        raise click.UsageError(f"write options after {ctx.invoked_subcommand}, not before it")
    return True


def _split(rest: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the flags about logging from those of a role."""
    logging = {name: value for name, value in rest.items() if name.startswith("log_")}
    flags = {name: None if value in ("", ()) else value for name, value in rest.items() if name not in logging}
    return logging, flags


def _key(place: Place, reference: str, purpose: str) -> bytes:
    return find_key(place, reference, purpose=purpose, raw_allowed=place.read_network().is_devnet)


def _coordinator(place: Place, key: str, **flags: Any) -> tuple[OpenOnChain, float]:
    from cuckoo.roles.coordinator import open_coordinator

    settings = place.settings(CoordinatorSettings, "coordinator", **flags)
    private_key = _key(place, key, "the coordinator's operator")
    return lambda chain: open_coordinator(chain, private_key, place.data_dir, settings), settings.grace_s


def _miner(place: Place, key: str, cheat: str | None = None, **flags: Any) -> tuple[OpenOnChain, float]:
    from cuckoo.roles.miner import open_miner

    if cheat is not None:
        return _cheating_miner(place, key, cheat, **flags)

    settings = place.settings(MinerSettings, "miner", **flags)
    private_key = _key(place, key, "the miner's operator")
    told = download_bar()
    return lambda chain: open_miner(chain, private_key, place.data_dir, settings, told=told), settings.grace_s


def _cheating_miner(place: Place, key: str, cheat: str, **flags: Any) -> tuple[OpenOnChain, float]:
    """Run a miner whose work is not what it signs."""
    from cuckoo.demo.cheats import Cheat, disguise
    from cuckoo.protocol.eip712 import Domain
    from cuckoo.protocol.signing import Signer
    from cuckoo.roles.miner import open_miner

    if not place.read_network().is_devnet:
        raise ConfigError("--cheat: only on a devnet; elsewhere it would cost you your stake")
    if cheat not in list(Cheat):
        raise ConfigError(f"--cheat {cheat}: there are {', '.join(Cheat)}")
    settings = place.settings(MinerSettings, "miner", **flags)
    if cheat == Cheat.OTHER_MODEL and len(settings.models) < 2:
        raise ConfigError(f"--cheat {cheat}: name a second --model, with which it cheats")
    private_key = _key(place, key, "the miner's operator")

    def opened(chain: "Chain") -> AbstractAsyncContextManager[Sequence["Service"]]:
        domain = Domain(chain.network.chain_id, chain.network.staking)
        disguised = disguise(Cheat(cheat), Signer(private_key), domain)
        return open_miner(chain, private_key, place.data_dir, settings, disguise=disguised)

    return opened, settings.grace_s


def _staker(place: Place, key: str, *, no_key: bool = False, **flags: Any) -> tuple[OpenOnChain, float]:
    from cuckoo.roles.staker import open_staker

    settings = place.settings(StakerSettings, "staker", **flags)
    private_key = None if no_key else _key(place, key, "the staker")
    return lambda chain: open_staker(chain, private_key, place.data_dir, settings), 0.0


_OPENERS = {"coordinator": _coordinator, "miner": _miner, "staker": _staker}


def _serve(place: Place, openers: Mapping[str, tuple[OpenOnChain, float]], logging: Mapping[str, Any]) -> None:
    """Connect to the chain once, and open the roles on it."""
    from cuckoo.roles.chain import open_chain

    network = place.read_network()
    shared: list[Chain] = []

    @asynccontextmanager
    async def open_shared() -> "AsyncIterator[Sequence[Service]]":
        async with open_chain(network, place.rpc, place.outbox(network)) as chain:
            shared.append(chain)
            yield chain.services

    def on_chain(opener: OpenOnChain) -> "OpenRole":
        return lambda: opener(shared[0])

    roles: list[tuple[str, OpenRole]] = [("chain", open_shared)]
    roles += [(name, on_chain(opener)) for name, (opener, _) in openers.items()]
    serve(roles, grace_s=max(grace_s for _, grace_s in openers.values()), **logging)
