"""A server's certificate: checked when it is loaded, and loaded again when its files change."""

import os
import ssl
import stat
from pathlib import Path

import structlog

from cuckoo.domain.errors import ConfigError
from cuckoo.runtime.clock import Clock

log = structlog.get_logger(__name__)

LOOK_S = 60.0
"""How often the files are looked at."""

_ROUNDS = 4
"""In which both sides of a handshake within this process have said everything."""

_Stamp = tuple[tuple[int, int, int], ...]


class Tls:
    """What a server needs to speak TLS.

    Attributes:
        context: for the server; certificates that are loaded later serve new connections, and those that stand go on.
        until: when the certificate ends, as its issuer wrote it.
    """

    def __init__(self, certificate: Path, key: Path, clock: Clock) -> None:
        """Load a certificate (with its chain, PEM) and its private key.

        Raises:
            ConfigError: a file is missing or no PEM, the key is another's or open to everybody, or the time is over.
        """
        self._certificate, self._key, self._clock = certificate, key, clock
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._stamped()
        self.until = self._load()

    async def run(self) -> None:
        """Look after the files until cancelled; one that can not be used leaves the old certificate in place."""
        while True:
            await self._clock.sleep(LOOK_S)
            self.look()

    def look(self) -> bool:
        """Load the certificate again when its files have changed; tells whether a new one serves."""
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return False
            self.until = self._load()
        except ConfigError as error:
            log.warning("the certificate was not loaded again: the old one serves on", reason=str(error))
            return False
        self._stamp = stamp
        log.info("certificate loaded again", certificate=str(self._certificate), until=self.until)
        return True

    def _stamped(self) -> _Stamp:
        stats = [self._stat(file) for file in (self._certificate, self._key)]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in stats)

    def _stat(self, file: Path) -> os.stat_result:
        try:
            return file.stat()
        except OSError as error:
            raise ConfigError(f"read {file}: {error.strerror}; name a file with --tls-certificate, --tls-key") from None

    def _load(self) -> str:
        """Try the pair out before it serves; returns when it ends."""
        if self._stat(self._key).st_mode & stat.S_IROTH:
            raise ConfigError(f"read {self._key}: everybody on this machine may read it: chmod 640 {self._key}")
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            trial.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (ssl.SSLError, OSError) as error:
            why = getattr(error, "reason", None) or error.strerror or str(error)
            what = "they do not belong together" if why == "KEY_VALUES_MISMATCH" else f"they can not be used ({why})"
            raise ConfigError(
                f"load {self._certificate} and {self._key}: {what}; both must be PEM, the key without a password"
            ) from None
        until = _ends(trial, self._certificate)
        self.context.load_cert_chain(self._certificate, self._key)
        return until


def _no_password() -> str:
    raise OSError("the key has a password")


def _ends(server: ssl.SSLContext, certificate: Path) -> str:
    """Shake hands within this process, trusting this very certificate; returns when it ends.

    Raises:
        ConfigError: its time is over, or has not come.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there)
    theirs = server.wrap_bio(there, back, server_side=True)
    for _ in range(_ROUNDS):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                raise ConfigError(f"load {certificate}: {error.verify_message}: get a new one") from None
    shown = ours.getpeercert() or {}
    return str(shown.get("notAfter", ""))
