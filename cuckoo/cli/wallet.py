"""From --key and --password-file to a private key, asking for a password where somebody is there to answer."""

import os
import re
import sys
from pathlib import Path

import click

from cuckoo.cli.options import Place
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address


def find_key(place: Place, reference: str = "", *, purpose: str, raw_allowed: bool) -> bytes:
    """Load a private key.

    Args:
        place: where keys lie, and the shared flags.
        reference: which key; empty for that of --key.
        purpose: what it is for, in errors: "the owner of the node".
        raw_allowed: whether a raw key on the command line is fine (on the devnet only).

    Raises:
        ConfigError: none is named, there are several, or it can not be opened; says what to do.
    """
    from cuckoo.chain.keystore import load_key

    return load_key(
        reference or place.key or _only_key(place, purpose),
        directory=place.keys_dir,
        password=lambda path: find_password(place, f"password of {path}"),
        environ=os.environ,
        raw_allowed=raw_allowed,
    )


def _only_key(place: Place, purpose: str) -> str:
    """Return the name of the only key there is: nobody else can be meant."""
    from cuckoo.chain.keystore import list_keys

    keys = list_keys(place.keys_dir)
    if len(keys) == 1:
        return keys[0].name
    if not keys:
        raise ConfigError(f"load the key of {purpose}: there is none in {place.keys_dir}: cuckoo keys new NAME")
    names = ", ".join(key.name for key in keys)
    raise ConfigError(f"load the key of {purpose}: there are several ({names}): name one with --key")


def find_password(place: Place, what: str, *, confirm: bool = False) -> str:
    """Return a password from --password-file, CUCKOO_PASSWORD, or a prompt.

    Raises:
        ConfigError: nobody is there to ask.
    """
    if place.password_file is not None:
        return _first_line(place.password_file)
    if "CUCKOO_PASSWORD" in os.environ:
        return os.environ["CUCKOO_PASSWORD"]
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}: there is no terminal to ask at: use --password-file FILE or CUCKOO_PASSWORD")
    prompted: str = click.prompt(
        what[0].upper() + what[1:],
        hide_input=True,
        confirmation_prompt=confirm,
        default="",
        show_default=False,
        err=True,
    )
    return prompted


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"read password file {path}: {error}") from None


def find_address(place: Place, who: str = "") -> Address:
    """Return an address without asking for a password.

    Args:
        place: where keys lie, and the shared flags.
        who: an address, or what --key takes; empty for --key, or the only key there is.

    Raises:
        ConfigError: it is no address, and no key that shows its address.
    """
    from cuckoo.chain.keystore import list_keys
    from cuckoo.protocol.signing import Signer, checksummed

    who = who or place.key or _only_key(place, "the wallet")
    if re.fullmatch(r"0x[0-9a-fA-F]{40}", who):
        address = checksummed(bytes.fromhex(who[2:]))
        if who[2:] not in (address[2:], who[2:].lower(), who[2:].upper()):
            raise ConfigError(f"read address {who}: its checksum is wrong, a letter was mistyped; copy it again")
        return address
    for key in list_keys(place.keys_dir) + list_keys(Path(who).parent):
        if who in (key.name, key.path):
            return key.address
    return Signer(find_key(place, who, purpose="the wallet", raw_allowed=True)).address
