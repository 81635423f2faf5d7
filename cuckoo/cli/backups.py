"""``cuckoo coordinator backup`` and ``restore``."""

from pathlib import Path

import click

from cuckoo.cli.apikeys import find_folder, node_option
from cuckoo.cli.options import Place, examples, json_option, network_option, place_options
from cuckoo.cli.output import note, print_json
from cuckoo.domain.errors import ConfigError


@click.command("backup", epilog=examples("cuckoo coordinator backup monday.tar"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@node_option
@json_option
@network_option
@place_options
def backup_command(place: Place, file: Path, *, node: int | None, as_json: bool) -> None:
    """Write everything that a coordinator keeps into FILE, while it works.

    Tasks, pictures, ledger, draws, API keys. FILE holds secrets and is readable for you alone; the operator's key is
    not in it.
    """
    from cuckoo.storage.backup import backup

    made = backup(find_folder(place, node), file)
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size, "folder": made.folder, "made_at": made.made_at})
    else:
        back = f"cuckoo coordinator restore {file} --node {_node(made.folder)}"
        note(f"{made.folder} is in {file}, {size:,} bytes; to have it back: {back}")


@click.command("restore", epilog=examples("cuckoo coordinator restore monday.tar --node 1"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--node", type=click.IntRange(1, 2**32 - 1), required=True, help="The coordinator's node.")
@json_option
@network_option
@place_options
def restore_command(place: Place, file: Path, *, node: int, as_json: bool) -> None:
    """Put a backup where this machine has no coordinator of that node.

    Open tasks of that time go on. What was done since is known to the miners, who show their vouchers and sequence
    numbers at their next sign-in; tasks that apps sent since are lost. The copy that was left must never start again.
    """
    from cuckoo.storage.backup import restore

    folder = place.data_dir / place.read_network().name / f"coordinator-{node}"
    made = restore(file, folder)
    if made.folder != folder.name:
        note(f"this was {made.folder}: it starts as {folder.name} only with that node's key")
    if as_json:
        print_json({"folder": str(folder), "made_at": made.made_at})
    else:
        note(f"restored as of {made.made_at}; start it with cuckoo coordinator --key NAME")


def _node(folder: str) -> str:
    number = folder.rpartition("-")[2]
    if not number.isdecimal():
        raise ConfigError(f"back up {folder}: it is not a coordinator's folder")
    return number
