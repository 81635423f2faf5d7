"""``cuckoo keys``: make and list keystore files."""

import click

from cuckoo.cli.options import Place, examples, json_option, password_option, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.cli.wallet import find_password
from cuckoo.domain.errors import ConfigError


@click.group(epilog=examples("cuckoo keys new alice", "cuckoo keys list"))
def keys() -> None:
    """Make and list keys: encrypted files, one a key, that never leave this machine."""


@keys.command(epilog=examples("cuckoo keys new alice", "cuckoo keys new rig1 --password-file ~/.cuckoo-password"))
@click.argument("name")
@password_option
@json_option
@place_options
def new(place: Place, name: str, *, as_json: bool) -> None:
    """Make a key called NAME and write its encrypted file.

    Keep a copy of the file and its password: nobody can make the key again.
    """
    from cuckoo.chain.keystore import new_key

    if (place.keys_dir / f"{name}.json").exists():
        raise ConfigError(f'make key: there is a key "{name}" already; keys are never overwritten: take another name')
    password = find_password(place, f"password for the new key {name}", confirm=True)
    entry = new_key(place.keys_dir, name, password)
    if as_json:
        print_json({"name": entry.name, "address": entry.address, "path": entry.path})
        return
    click.echo(entry.address)
    note(f"written to {entry.path}" + ("" if password else " without a password: whoever reads the file has the key"))


@keys.command("list", epilog=examples("cuckoo keys list"))
@json_option
@place_options
def list_(place: Place, *, as_json: bool) -> None:
    """List the keys in the data folder."""
    from cuckoo.chain.keystore import list_keys

    found = list_keys(place.keys_dir)
    if as_json:
        print_json([{"name": key.name, "address": key.address, "path": key.path} for key in found])
    elif found:
        print_table(("name", "address", "file"), [(key.name, key.address, key.path) for key in found])
    else:
        note(f"no keys in {place.keys_dir} yet: cuckoo keys new NAME")


@keys.command(epilog=examples("cuckoo keys show alice"))
@click.argument("name")
@json_option
@place_options
def show(place: Place, name: str, *, as_json: bool) -> None:
    """Show the address of a key; its secret is never shown."""
    from cuckoo.chain.keystore import list_keys

    for key in list_keys(place.keys_dir):
        if key.name == name:
            if as_json:
                print_json({"name": key.name, "address": key.address, "path": key.path})
            else:
                click.echo(key.address)
            return
    raise ConfigError(f'show key: there is no "{name}" in {place.keys_dir}: cuckoo keys list shows what is there')
