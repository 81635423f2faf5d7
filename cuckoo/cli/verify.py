"""``cuckoo verify``: is this picture what its receipt says?"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cuckoo.cli.chain import open_client
from cuckoo.cli.options import Place, chain_options, examples, json_option, place_options
from cuckoo.cli.output import note, print_json
from cuckoo.domain.errors import ConfigError, InvalidField

if TYPE_CHECKING:
    from cuckoo.inference.messages import Finished
    from cuckoo.protocol.messages import ReceiptView
    from cuckoo.services.verifying import Check

MARKS = {"right": "✓", "wrong": "✗", "unchecked": "?"}


@click.command(
    epilog=examples(
        "cuckoo verify picture.png",
        "cuckoo verify picture.png --rerun",
        "cuckoo verify picture.png --offline --json",
    )
)
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path),
    help="Receipt in a file of its own.  [default: the one inside the picture]",
)
@click.option("--offline", is_flag=True, help="Do not ask the chain whose keys signed.")
@click.option("--rerun", is_flag=True, help="Make the picture again on this machine, and compare.")
@json_option
@chain_options
@place_options
def verify(
    place: Place, picture: Path, receipt_file: Path | None, *, offline: bool, rerun: bool, as_json: bool
) -> None:
    """Check PICTURE against the receipt that travels inside it.

    That it has the pixels which its miner signed, that the coordinator gave it that task, that both are registered
    with stake that can be taken from them; with --rerun, that the prompt really gives this picture.

    Exit code 0: all is right, or could not be checked here; 1: something is wrong.
    """
    from cuckoo.protocol.messages import ReceiptView, decode_json
    from cuckoo.protocol.png import receipt_in
    from cuckoo.services.verifying import State, verdict

    content = _read(picture)
    try:
        view = decode_json(_read(receipt_file), ReceiptView) if receipt_file else receipt_in(content)
    except InvalidField as fault:
        raise ConfigError(f"verify {receipt_file or picture}: {fault}") from None
    checks = asyncio.run(_verify(place, view, content, offline=offline, rerun=rerun))
    outcome = verdict(checks)
    if as_json:
        rows = [{"name": one.name, "state": one.state.value, "detail": one.detail} for one in checks]
        print_json({"picture": str(picture), "verdict": outcome.value, "checks": rows})
    else:
        for one in checks:
            click.echo(f"{MARKS[one.state]} {one.name}: {one.detail}")
        if outcome is State.WRONG:
            note("This picture is not what its receipt says.")
    if outcome is State.WRONG:
        raise click.exceptions.Exit(1)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"read {file}: {error.strerror}") from None


async def _verify(place: Place, view: "ReceiptView", content: bytes, *, offline: bool, rerun: bool) -> "list[Check]":
    from cuckoo.domain.identifiers import Address
    from cuckoo.protocol.eip712 import Domain
    from cuckoo.services.verifying import check_assignment_hash, check_pixels, check_rerun, check_signatures

    checks = [check_pixels(view, content), check_assignment_hash(view)]
    if offline:
        checks += await check_signatures(view, None, None, 0)
    else:
        from cuckoo.chain.contracts import StakingContract

        network = place.read_network()
        async with open_client(place) as client:
            domain = Domain(network.chain_id, Address(network.staking))
            longest = network.parameters.longest_deadline
            checks += await check_signatures(view, StakingContract(client), domain, longest)
    if rerun:
        checks.append(check_rerun(view, content, await _rerun(view)))
    return checks


async def _rerun(view: "ReceiptView") -> "Finished":
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
        run = asyncio.ensure_future(pool.run(Job(job_id="rerun", parameters=view.assignment.parameters)))
        try:
            await asyncio.wait({watch, run}, return_when=asyncio.FIRST_COMPLETED)
            if not run.done():
                watch.result()  # raises: it only ends when the model can not be run
            return run.result()
        finally:
            for one in (watch, run):
                one.cancel()
            await asyncio.gather(watch, run, return_exceptions=True)
