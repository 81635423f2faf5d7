"""Keys in Web3 Secret Storage (keystore v3) files, mode 0600; a raw key never lies on a disk.

Source: Web3 Secret Storage Definition, version 3.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from eth_account import Account
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json

from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address
from cuckoo.protocol.signing import Signer, checksummed

SCRYPT_N = 2**17
_PRIVATE = 0o600


class KeyEntry(msgspec.Struct, frozen=True):
    """A key file: its name, address and where it is."""

    name: str
    address: Address
    path: str


def new_key(directory: Path, name: str, password: str, *, scrypt_n: int = SCRYPT_N) -> KeyEntry:
    """Make a key and write its keystore file.

    Args:
        directory: made with mode 0700 when it is not there.
        name: of the file, without ``.json``.
        password: may be empty; then the file alone is enough to sign.
        scrypt_n: work factor; lower it in tests only.

    Raises:
        ConfigError: a key of that name exists, or the name is no file name.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ConfigError(f'make key: "{name}" is no file name')
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"{name}.json"
    private_key = secrets.token_bytes(32)
    address = Signer(private_key).address
    content = create_keyfile_json(private_key, password.encode(), kdf="scrypt", iterations=scrypt_n)
    content["address"] = address[2:].lower()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError:
        raise ConfigError(f"make key: {path} exists; keys are never overwritten, choose another name") from None
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    return KeyEntry(name, address, str(path))


def list_keys(directory: Path) -> list[KeyEntry]:
    """List the keystore files of a directory; other files are left out."""
    found = []
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_bytes())
            found.append(
                KeyEntry(path.stem, checksummed(bytes.fromhex(content["address"].removeprefix("0x"))), str(path))
            )
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            continue
    return found


def load_key(
    reference: str,
    *,
    directory: Path,
    password: Callable[[str], str],
    environ: Mapping[str, str],
    raw_allowed: bool,
) -> bytes:
    """Find a private key.

    Args:
        reference: name of a key in ``directory``, path of a keystore file or of a file with a hex key, ``env:NAME``,
            or a raw hex key.
        password: asked with the path of an encrypted file.
        environ: usually ``os.environ``.
        raw_allowed: whether a raw key on the command line is fine: on the devnet only, because every process of
            the machine can read it (``ps``) and the shell keeps it in its history.

    Returns:
        32 bytes.

    Raises:
        ConfigError: nothing is there, it is no key, the password is wrong, or a raw key is not allowed.
    """
    if reference.startswith("env:"):
        name = reference.removeprefix("env:")
        if name not in environ:
            raise ConfigError(f"load key: the environment has no variable {name}")
        return _hex_key(environ[name], f"variable {name}")
    if _looks_like_key(reference):
        if not raw_allowed:
            raise ConfigError(
                "load key: a key on the command line can be read by every process of this machine (ps) and stays in "
                "the shell's history, so it works on the devnet only: put it into a keystore (cuckoo keys new) or use "
                "env:NAME",
            )
        return _hex_key(reference, "--key")
    path = Path(reference)
    if not path.exists():
        path = directory / f"{reference}.json"
    if not path.exists():
        raise ConfigError(
            f"load key: there is no file {reference} and no key {path}: cuckoo keys list shows what is there"
        )
    return _key_from_file(path, password)


def _key_from_file(path: Path, password: Callable[[str], str]) -> bytes:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"load key: read {path}: {error}") from None
    if _looks_like_key(text):
        return _hex_key(text, str(path))
    try:
        content: dict[str, Any] = json.loads(text)
        if "crypto" not in content and "Crypto" not in content:
            raise ConfigError(f"load key: {path} is neither a keystore (version 3) nor a hex key")
    except (ValueError, TypeError):
        raise ConfigError(f"load key: {path} is neither a keystore (version 3) nor a hex key") from None
    try:
        return bytes(decode_keyfile_json(content, password(str(path)).encode()))
    except ValueError:
        raise ConfigError(f"load key: the password does not open {path}") from None
    except (KeyError, NotImplementedError, TypeError) as error:
        raise ConfigError(f"load key: {path} is no keystore that we can read: {error}") from None


def _looks_like_key(text: str) -> bool:
    digits = text.removeprefix("0x")
    return len(digits) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _hex_key(text: str, where: str) -> bytes:
    if not _looks_like_key(text.strip()):
        raise ConfigError(f"load key: {where} holds no private key (64 hex digits)")
    key = bytes.fromhex(text.strip().removeprefix("0x"))
    try:
        Account.from_key(key)
    except Exception:  # noqa: BLE001  eth-keys raises its own; the text could show the key
        raise ConfigError(f"load key: {where} holds a number that is no private key") from None
    return key
