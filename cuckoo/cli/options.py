"""Flags that many commands share, and where their values come from: flag > ``CUCKOO_...`` > file > default."""

import os
import tomllib
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from cuckoo.domain import settings
from cuckoo.domain.errors import ConfigError

if TYPE_CHECKING:
    from cuckoo.domain.network import Network

Command = TypeVar("Command", bound=Callable[..., Any])
S = TypeVar("S", bound=msgspec.Struct)

CONFIG_FILE = "cuckoo.toml"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command works.

    Attributes:
        data_dir: keys, network files and what roles store.
        file: the parsed configuration file; empty where there is none.
        network: name or path of a network file.
        rpc: endpoints used instead of the network file's own.
        key: name of a key, key file, ``env:NAME``; "" when none was named.
        password_file: file with the keystore's password; None: environment or prompt.
    """

    data_dir: Path
    file: Mapping[str, Any]
    network: str = "devnet"
    rpc: tuple[str, ...] = ()
    key: str = ""
    password_file: Path | None = None

    @property
    def keys_dir(self) -> Path:
        """Return the folder of the keystore files."""
        return self.data_dir / "keys"

    @property
    def network_file(self) -> Path:
        """Return the path of the network file: a path as it is, a name inside the data folder."""
        if "/" in self.network or "\\" in self.network or self.network.endswith(".json"):
            return Path(self.network).expanduser()
        return self.data_dir / "networks" / f"{self.network}.json"

    def read_network(self) -> "Network":
        """Read the network file; raises ConfigError when it is not there."""
        from cuckoo.chain.deployment import read_network

        return read_network(self.network_file)

    def outbox(self, network: "Network") -> Path:
        """Return where the transactions of this user are recorded before they are sent."""
        return self.data_dir / network.name / "outbox.sqlite"

    def settings(self, kind: type[S], section: str, **flags: Any) -> S:
        """Fill the settings of a role; raises ConfigError."""
        return settings.load(kind, section, flags=flags, environ=os.environ, file=self.file)


class _General(msgspec.Struct, frozen=True, kw_only=True):
    """The table [general] of the configuration file."""

    network: str = "devnet"
    rpc: tuple[str, ...] = ()
    key: str = ""
    password_file: str = ""


def default_data_dir() -> Path:
    """Return where this user's data lies unless told otherwise."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("cuckoo", appauthor=False))


def _read_config(path: Path, *, required: bool) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"read configuration {path}: there is no such file") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"read configuration {path}: {error}") from None


def place_options(command: Command) -> Command:
    """Add --data-dir and --config; the command gets ``place``, which holds the other shared flags too."""

    @wraps(command)
    def run(*args: Any, data_dir: Path | None, config: Path | None, **rest: Any) -> Any:
        folder = data_dir or default_data_dir()
        file = _read_config(config or folder / CONFIG_FILE, required=config is not None)
        flags = {name: rest.pop(name, None) or None for name in _General.__struct_fields__}
        general = _general(file, **flags)
        place = Place(
            data_dir=folder,
            file=file,
            network=general.network,
            rpc=general.rpc,
            key=general.key,
            password_file=Path(general.password_file).expanduser() if general.password_file else None,
        )
        return command(*args, place=place, **rest)

    run = click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="CUCKOO_CONFIG",
        help=f"Configuration file (TOML).  [default: {CONFIG_FILE} in the data folder]",
    )(run)
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="CUCKOO_DATA_DIR",
        help="Folder for keys, network files and what roles store.  [default: this user's data folder]",
    )(run)  # type: ignore[return-value]


def _general(file: Mapping[str, Any], **flags: Any) -> _General:
    short = {
        f"CUCKOO_GENERAL_{name}".upper(): os.environ[f"CUCKOO_{name}".upper()]
        for name in _General.__struct_fields__
        if f"CUCKOO_{name}".upper() in os.environ
    }
    return settings.load(_General, "general", flags=flags, environ=short, file=file)


network_option = click.option(
    "--network",
    metavar="FILE|NAME",
    help="Network file, or the name of one in the data folder.  [env: CUCKOO_NETWORK; default: devnet]",
)


def chain_options(command: Command) -> Command:
    """Add --network and --rpc; put it above :func:`place_options`."""
    return network_option(
        click.option(
            "--rpc",
            multiple=True,
            metavar="URL",
            help="RPC endpoint, instead of the network file's; repeat it for more.  [env: CUCKOO_RPC]",
        )(command)
    )


password_option = click.option(
    "--password-file",
    metavar="FILE",
    help="File with the keystore's password.  [env: CUCKOO_PASSWORD_FILE, or the password in CUCKOO_PASSWORD]",
)


def key_options(command: Command) -> Command:
    """Add --key and --password-file; put it above :func:`place_options`."""
    return click.option(
        "--key",
        metavar="KEY",
        help="Name of a key (cuckoo keys list), key file, or env:NAME.  [env: CUCKOO_KEY]",
    )(password_option(command))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask before what can not be taken back.")


def examples(*lines: str) -> str:
    """Return an epilog that shows how a command is called."""
    return "\n".join(["\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])
