"""A question to a running role, and its answer, as two files in the role's folder.

Whoever may write into the folder may ask. The role needs no open port for it, and a question that nobody answers does
no harm: the next one takes its place.
"""

import re
import secrets
from pathlib import Path

_QUESTION, _ANSWER = "question", "answer"
_TOKEN = re.compile(rb"[0-9a-f]{32}")
_TOKEN_BYTES = 32


def ask(folder: Path, about: str) -> bytes:
    """Write a question; returns by which token its answer is known. Raises OSError.

    Args:
        folder: the role's own.
        about: what is asked, a word that makes a file name.
    """
    token = secrets.token_hex(_TOKEN_BYTES // 2).encode()
    _replace(folder / f"{about}.{_QUESTION}", token)
    return token


def asked(folder: Path, about: str) -> bytes | None:
    """Return the token of a question that waits; None when there is none."""
    try:
        with (folder / f"{about}.{_QUESTION}").open("rb") as file:
            token = file.read(_TOKEN_BYTES + 1)
    except OSError:
        return None
    return token if _TOKEN.fullmatch(token) else None


def answer(folder: Path, about: str, token: bytes, text: bytes) -> None:
    """Write the answer, and take the question away; raises OSError."""
    _replace(folder / f"{about}.{_ANSWER}", token + text)
    if asked(folder, about) == token:
        (folder / f"{about}.{_QUESTION}").unlink(missing_ok=True)


def answered(folder: Path, about: str, token: bytes) -> bytes | None:
    """Return the answer to a question; None while it is not there."""
    try:
        text = (folder / f"{about}.{_ANSWER}").read_bytes()
    except OSError:
        return None
    return text[len(token) :] if text.startswith(token) else None


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
