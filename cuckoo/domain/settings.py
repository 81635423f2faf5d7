"""Typed settings: flag > environment (``CUCKOO_...``) > file > default."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cuckoo.domain.errors import ConfigError

S = TypeVar("S", bound=msgspec.Struct)


class CoordinatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator of a coordinator may set. Times in seconds, amounts in CAI.

    ``open``: whether apps need no API key; None: on the devnet only. ``streams_limit``: event streams that may be open.
    ``price``: of a megapixel-step; ``prices``: by model, where it differs. ``escrow``: held ready for each miner, where
    anything has a price. ``audits``: probability of a result to be made again by others before it is paid, 0..1;
    ``audit_device``: have this machine do it, on "cpu", "cuda:N" or "mps"; "" has other miners do it;
    ``audit_threads``: CPU threads for that, 0 for a share of the cores. ``disputes``: take miners whose results were
    found wrong to a jury; the bond comes from the operator's wallet.
    ``warn_days``: warn when the wallet lasts for fewer days at the present rate.
    ``tls_certificate``, ``tls_key``: PEM files, to serve HTTPS; "" for HTTP.
    ``cors_origins``: pages of other addresses that may call the public API, for example "https://shop.example"; "*" for
    all.
    ``trusted_proxies``: addresses or networks whose X-Forwarded-For is believed.
    ``blocked_terms``: prompts that contain one of them are refused, whatever their case.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    open: bool | None = None
    queue_limit: int = 10_000
    streams_limit: int = 1_000
    long_poll_s: float = 25.0
    miner_lost_s: float = 20.0
    max_attempts: int = 3
    grace_s: float = 15.0
    retention_days: int = 7
    body_limit_bytes: int = 1_048_576
    picture_body_limit_bytes: int = 33_554_432
    price: str = "0"
    prices: dict[str, str] = {}
    escrow: str = "10"
    escrow_interval_s: float = 5.0
    audits: float = 0.02
    audit_device: str = ""
    audit_threads: int = 0
    disputes: bool = True
    warn_days: float = 3.0
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    blocked_terms: tuple[str, ...] = ()


class MinerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator of a miner may set. Times in seconds.

    ``threads``: CPU threads of a worker on the CPU, 0 shares the cores among this miner's; where several miners run on
    one host, give each its part. ``batch``: most pictures of equal size, steps and guidance that a device draws at
    once: 1, 2, 4 or 8; only tasks that allow it are drawn together. ``preview_every``: denoising steps between two
    previews, 0 for none. ``min_price``: least CAI for a megapixel-step. ``max_unredeemed``: most CAI that one
    coordinator may owe, work in hand included; 0 for all that it has ring-fenced. ``redeem_at``: CAI that a voucher
    must be worth to be redeemed by itself, while gas costs no more than ``redeem_max_gas_gwei``, 0 for any price.
    ``redeem_on_exit``: redeem what there is at a stop. ``juror``: judge others' results when the lottery gives this
    miner seats. ``metrics``: HOST:PORT for Prometheus, "" for none.
    """

    devices: tuple[str, ...] = ("auto",)
    models: tuple[str, ...] = ("emoji-64",)
    threads: int = 0
    batch: int = 1
    preview_every: int = 0
    min_price: str = "0"
    redeem_at: str = "1"
    redeem_max_gas_gwei: str = "0"
    redeem_on_exit: bool = False
    redeem_interval_s: float = 30.0
    max_unredeemed: str = "0"
    grace_s: float = 15.0
    progress_s: float = 5.0
    juror: bool = True
    metrics: str = ""


class StakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a staker may set. Times in seconds.

    ``auto_compound``: claim rewards of ``compound_at`` CAI and more, and vote with them for the node that paid them.
    ``portal``: serve the staking portal at ``host`` and ``port``.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    portal: bool = True
    interval_s: float = 10.0
    auto_compound: bool = False
    compound_at: str = "10"


def load(
    kind: type[S],
    section: str,
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Mapping[str, Any],
) -> S:
    """Fill ``kind`` from flags, then environment, then file, then its defaults.

    Args:
        kind: the settings struct.
        section: its name in the file and in variables: ``CUCKOO_<SECTION>_<FIELD>``.
        flags: values from the command line; None means not given.
        environ: usually ``os.environ``; lists are separated by commas.
        file: the parsed TOML file; its table ``section`` is read.

    Raises:
        ConfigError: an unknown field in the file, or a value of the wrong type, with where it came from.
    """
    table = file.get(section, {})
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    if not isinstance(table, Mapping):
        raise ConfigError(f"read settings [{section}]: it must be a table")
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise ConfigError(f"read settings [{section}]: {unknown[0]} is unknown; there are {', '.join(fields)}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        variable = f"CUCKOO_{section}_{name}".upper()
        if flags.get(name) is not None:
            source, value = f"--{name.replace('_', '-')}", flags[name]
        elif variable in environ:
            source, value = variable, environ[variable]
            if str(field.type).startswith("tuple"):
                value = [item.strip() for item in environ[variable].split(",") if item.strip()]
        elif name in table:
            source, value = f"[{section}] {name}", table[name]
        else:
            continue
        try:
            values[name] = msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"read settings: {source} = {value!r}: {str(error)[:1].lower()}{str(error)[1:]}"
            ) from None
    return kind(**values)
