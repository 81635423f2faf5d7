"""Pictures between the lines of a terminal that can show them: the protocols of kitty and of iTerm2.

Sources: sw.kovidgoyal.net/kitty/graphics-protocol, iterm2.com/documentation-images.html.
"""

import base64
from collections.abc import Mapping
from enum import StrEnum

ROWS = 10
"""Lines that a picture takes."""

_CHUNK = 4_096
_KITTY_PROGRAMS = frozenset({"ghostty"})
_ITERM_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "mintty"})
_BETWEEN = ("screen", "tmux")


class Protocol(StrEnum):
    """How a terminal wants pictures."""

    KITTY = "kitty"
    ITERM = "iterm"


def protocol_of(environ: Mapping[str, str]) -> Protocol | None:
    """Tell from the environment how this terminal takes pictures; None where it does not, or nobody knows."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if "TMUX" in environ or term.startswith(_BETWEEN):
        return None
    if "KITTY_WINDOW_ID" in environ or term in ("xterm-kitty", "xterm-ghostty") or program in _KITTY_PROGRAMS:
        return Protocol.KITTY
    if program in _ITERM_PROGRAMS or environ.get("LC_TERMINAL") == "iTerm2":
        return Protocol.ITERM
    return None


def escape(protocol: Protocol, png: bytes, rows: int = ROWS) -> str:
    """Return what makes a terminal show a PNG file ``rows`` lines high."""
    text = base64.b64encode(png).decode("ascii")
    if protocol is Protocol.ITERM:
        return f"\x1b]1337;File=inline=1;size={len(png)};height={rows};preserveAspectRatio=1:{text}\x07"
    chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        head = f"a=T,f=100,r={rows},q=2," if number == 0 else ""
        parts.append(f"\x1b_G{head}m={int(number < len(chunks) - 1)};{chunk}\x1b\\")
    return "".join(parts)
