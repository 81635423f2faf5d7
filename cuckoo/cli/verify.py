"""``cuckoo verify``: is this picture what its receipt says?"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.chain import open_client, open_wallet
from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.output import note, print_json
from cuckoo.domain.errors import ConfigError, InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuckoo.chain.rpc import ChainClient
    from cuckoo.domain.task import TaskParameters
    from cuckoo.inference.messages import Finished
    from cuckoo.protocol.messages import ReceiptView
    from cuckoo.services.verifying.checks import Check

MARKS = {"right": "✓", "wrong": "✗", "unchecked": "?"}


class _Verify(click.Group):
    """``verify picture.png`` is ``verify picture picture.png``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word as a file unless it is a command."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["picture", *args])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let flags of the default command stand first, too."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["picture", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Verify,
    epilog=examples("cuckoo verify picture.png --rerun", "cuckoo verify draw picture.png", "cuckoo verify period 171"),
)
def verify() -> None:
    """Check what others say: a picture against its receipt, a draw, or all draws of a period.

    `cuckoo verify picture.png` is short for `cuckoo verify picture picture.png`.

    Exit code 0: all is right, or could not be checked here; 1: something is wrong.
    """


@verify.command(
    epilog=examples(
        "cuckoo verify picture.png",
        "cuckoo verify picture.png --rerun",
        "cuckoo verify picture.png --offline --json",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    help="Receipt in a file of its own.  [default: the one inside the picture]",
)
@click.option("--offline", is_flag=True, help="Do not ask the chain whose keys signed.")
@click.option("--rerun", is_flag=True, help="Make the picture again on this machine, and compare.")
@click.option("--source", type=click.Path(path_type=Path), metavar="FILE", help="What it was made from, for --rerun.")
@click.option("--mask", type=click.Path(path_type=Path), metavar="FILE", help="The mask that it was made with.")
@json_option
@chain_options
@place_options
def picture(
    place: Place,
    file: Path,
    receipt_file: Path | None,
    source: Path | None,
    mask: Path | None,
    *,
    offline: bool,
    rerun: bool,
    as_json: bool,
) -> None:
    """Check the picture FILE against the receipt that travels inside it.

    That it has the pixels which its miner signed, that the coordinator gave it that task, that both are registered
    with stake that can be taken from them; with --rerun, that the prompt really gives this picture.

    Exit code 0: all is right, or could not be checked here; 1: something is wrong.
    """
    content = _read(file)
    view = _receipt(content if receipt_file is None else _read(receipt_file), str(receipt_file or file))
    inputs = _inputs(view.assignment.parameters, source, mask) if rerun else ()
    checks = asyncio.run(_verify(place, view, content, inputs, offline=offline, rerun=rerun))
    _finish(
        checks,
        "This picture is not what its receipt says.",
        as_json=as_json,
        picture=str(file),
        task=view.assignment.task_id,
    )


def _inputs(parameters: "TaskParameters", source: Path | None, mask: Path | None) -> tuple[bytes, ...]:
    """Prepare what a picture was made from as its coordinator did; raises ConfigError where it is something else."""
    from cuckoo.domain.task import NO_HASH
    from cuckoo.protocol.inputs import Inputs, prepare

    for option, file, digest in (
        ("--source", source, parameters.source_hash),
        ("--mask", mask, parameters.mask_hash),
    ):
        if (file is None) != (digest == NO_HASH):
            raise ConfigError(
                f"make the picture again: it was made {'without' if file else 'from'} a picture that {option} names"
            )
    if parameters.loras_hash != NO_HASH:
        raise ConfigError("make the picture again: it was made with LoRAs, which its receipt names by their hash only")
    inputs = Inputs()
    if source is not None:
        sides = parameters.width_px, parameters.height_px
        inputs = prepare(_read(source), b"" if mask is None else _read(mask), *sides)
    if inputs.source_hash != parameters.source_hash or inputs.mask_hash != parameters.mask_hash:
        raise ConfigError("make the picture again: it was made from other pictures than these")
    return inputs.payloads


def _receipt(content: bytes, name: str) -> "ReceiptView":
    """Read a receipt out of a PNG file or JSON."""
    from cuckoo.protocol.messages import ReceiptView, decode_json
    from cuckoo.protocol.png import receipt_in

    try:
        return decode_json(content, ReceiptView) if content.startswith(b"{") else receipt_in(content)
    except InvalidField as fault:
        raise ConfigError(f"verify {name}: {fault}") from None


def _finish(checks: "Sequence[Check]", wrong: str, *, as_json: bool, **more: Any) -> None:
    """Print checks; exit with 1 when one is wrong."""
    from cuckoo.services.verifying.checks import State, verdict

    outcome = verdict(checks)
    if as_json:
        rows = [{"name": one.name, "state": one.state.value, "detail": one.detail} for one in checks]
        print_json({**more, "verdict": outcome.value, "checks": rows})
    else:
        for one in checks:
            click.echo(f"{MARKS[one.state]} {one.name}: {one.detail}")
        if outcome is State.WRONG:
            note(wrong)
    if outcome is State.WRONG:
        raise click.exceptions.Exit(1)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"read {file}: {error.strerror}") from None


async def _verify(
    place: Place, view: "ReceiptView", content: bytes, inputs: tuple[bytes, ...], *, offline: bool, rerun: bool
) -> "list[Check]":
    from cuckoo.services.verifying.pictures import check_assignment_hash, check_pixels, check_rerun, check_signatures

    checks = [check_pixels(view, content)]
    if offline:
        checks += [check_assignment_hash(view), *await check_signatures(view, None, None, 0)]
    else:
        async with open_client(place) as client:
            checks += await _signatures(place, client, view)
    if rerun:
        checks.append(check_rerun(view, content, await _rerun(view, inputs)))
    return checks


async def _rerun(view: "ReceiptView", inputs: tuple[bytes, ...]) -> "Finished":
    """Make the pictures again, as much as this machine can like the miner did."""
    from cuckoo.inference.models import load_registry
    from cuckoo.inference.pool import Job, PoolOptions, WorkerPool

    wanted = view.assignment.parameters.model_digest
    model = next((one for one in load_registry().values() if one.digest == wanted), None)
    if model is None:
        raise ConfigError(f"make the picture again: the model with digest {wanted} is not in this machine's registry")
    profile = view.receipt.profile
    options = PoolOptions(
        devices=("cpu",) if profile.device == "cpu" else ("auto",),
        threads=profile.threads,
        batch_bucket=profile.batch_bucket,
    )
    note("making it again ...")
    async with WorkerPool([model], options) as pool:
        watch = asyncio.ensure_future(pool.watch())
        job = Job(job_id="rerun", parameters=view.assignment.parameters, inputs=inputs)
        run = asyncio.ensure_future(pool.run(job))
        try:
            await asyncio.wait({watch, run}, return_when=asyncio.FIRST_COMPLETED)
            if not run.done():
                watch.result()  # raises: it only ends when the model can not be run
            return run.result()
        finally:
            for one in (watch, run):
                one.cancel()
            await asyncio.gather(watch, run, return_exceptions=True)


coordinator_option = click.option(
    "--coordinator",
    "origin",
    metavar="URL",
    default="http://127.0.0.1:8080",
    envvar="CUCKOO_COORDINATOR",
    show_default=True,
    help="Whose log.  [env: CUCKOO_COORDINATOR]",
)
LIES = "The log is not what the chain and its seed say: show it to the coordinator's stakers."


@verify.command(epilog=examples("cuckoo verify draw picture.png", "cuckoo verify draw 5f0c...e1 --json"))
@click.argument("task")
@coordinator_option
@json_option
@chain_options
@place_options
def draw(place: Place, task: str, origin: str, *, as_json: bool) -> None:
    """Check the draw that gave TASK to its miner. TASK: a task id, a picture, or a receipt file.

    Replays all draws of its period from the coordinator's public log and the chain. The log is public when the period
    after it has ended.
    """
    checks = asyncio.run(_draw(place, task, origin))
    _finish(checks, LIES, as_json=as_json, task=task)


@verify.command(epilog=examples("cuckoo verify period 171", "cuckoo verify period 171 --json"))
@click.argument("number", type=click.IntRange(0))
@coordinator_option
@json_option
@chain_options
@place_options
def period(place: Place, number: int, origin: str, *, as_json: bool) -> None:
    """Check all draws of the closed draw period NUMBER (unix time divided by its length)."""
    checks = asyncio.run(_period(place, number, origin))
    _finish(checks, LIES, as_json=as_json, period=number)


async def _period(place: Place, number: int, origin: str) -> "list[Check]":
    from cuckoo.client.app import AppClient
    from cuckoo.services.verifying.draws import DrawsOnChain, check_log

    async with AppClient(origin) as app, open_client(place) as client:
        chain = DrawsOnChain(client)
        return [check for log in (await app.draws(number)).logs for check in await check_log(log, chain)]


async def _draw(place: Place, task: str, origin: str) -> "list[Check]":
    from cuckoo.client.app import AppClient
    from cuckoo.domain.identifiers import TaskId
    from cuckoo.services.verifying.draws import DrawsOnChain, check_draw, check_log, find_log

    from_file = _receipt(_read(file), task) if (file := Path(task)).is_file() else None
    async with AppClient(origin) as app, open_client(place) as client:
        view = from_file or await app.receipt(TaskId(task))
        chain = DrawsOnChain(client)
        log = await find_log(app.draws, chain, view.assignment)
        signed = await _signatures(place, client, view)
        return [*signed, *await check_log(log, chain), check_draw(log, view.assignment)]


async def _signatures(place: Place, client: "ChainClient", view: "ReceiptView") -> "list[Check]":
    """Check who signed: what nobody signed says nothing about anybody."""
    from cuckoo.chain.contracts import StakingContract
    from cuckoo.domain.identifiers import Address
    from cuckoo.protocol.eip712 import Domain
    from cuckoo.services.verifying.pictures import check_assignment_hash, check_signatures

    network = place.read_network()
    domain = Domain(network.chain_id, Address(network.staking))
    longest = network.parameters.longest_deadline
    return [check_assignment_hash(view), *await check_signatures(view, StakingContract(client), domain, longest)]


@verify.command(
    epilog=examples("cuckoo verify heads one.png other.png", "cuckoo verify heads a.png b.png --prove --key me")
)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--prove", is_flag=True, help="Convict the coordinator on chain, with the wallet of --key.")
@key_options
@json_option
@chain_options
@place_options
def heads(place: Place, first: Path, second: Path, *, prove: bool, as_json: bool) -> None:
    """Check whether a coordinator signed two draw logs: FIRST and SECOND are pictures or receipt files.

    A coordinator that tells different stories about one draw has signed both: whoever has the two proves it on chain,
    where it loses half of its own stake and the prover gets half of that.
    """
    views = [_receipt(_read(file), str(file)) for file in (first, second)]
    check = _two_heads(views[0], views[1])
    if prove and check.state == "wrong":
        note("proving it on chain ...")
        asyncio.run(_prove(place, views[0], views[1]))
    _finish([check], "This coordinator signed two stories about one draw: --prove convicts it.", as_json=as_json)


def _two_heads(first: "ReceiptView", second: "ReceiptView") -> "Check":
    from cuckoo.services.verifying.checks import check

    one, other = first.assignment, second.assignment
    same_draw = (one.coordinator_node, one.seed_tip, one.draw_index) == (
        other.coordinator_node,
        other.seed_tip,
        other.draw_index,
    )
    return check(
        "heads",
        not same_draw or one.draw_head == other.draw_head,
        "the same story" if same_draw else "two different draws: they say nothing about each other",
        f"coordinator {one.coordinator_node} signed two heads for draw {one.draw_index}",
    )


async def _prove(place: Place, first: "ReceiptView", second: "ReceiptView") -> None:
    from cuckoo.chain.disputes import DisputesContract

    async with open_wallet(place) as wallet, open_client(place) as client:
        signed = [(view.assignment, view.assignment_signature) for view in (first, second)]
        await DisputesContract(client).prove_two_heads(wallet.sender, *signed)
