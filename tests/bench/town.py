"""The same miners in every process of the benchmark: their keys, and the picture that they all "make"."""

import hashlib
import itertools
import os
import struct
import zlib

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.keccak import keccak256
from cuckoo.protocol.signing import Signer

FIRST_NODE = 2
WIDTH_PX, HEIGHT_PX, STEPS = 88, 80, 4
"""Noise of this size is a PNG file of 21 KB."""

PRICE_WEI = 10**15


def miner_key(number):
    return Signer(keccak256(f"miner {number}".encode()))


def miner_node(number):
    return NodeId(FIRST_NODE + number)


class Pictures:
    """PNG files of noise; no two of them are equal, so that each has to be stored."""

    def __init__(self):
        rows = [b"\0" + os.urandom(WIDTH_PX * 3) for _ in range(HEIGHT_PX)]
        self._rest = b"".join(rows[1:])
        self._rest_pixels = b"".join(row[1:] for row in rows[1:])
        self._start = os.urandom(WIDTH_PX * 3 - 8)
        self._numbers = itertools.count()
        self._header = _chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH_PX, HEIGHT_PX, 8, 2, 0, 0, 0))

    def next(self):
        """Return (PNG file, pixel hash)."""
        first = self._start + next(self._numbers).to_bytes(8, "big")
        data = zlib.compress(b"\0" + first + self._rest, 0)
        png = b"\x89PNG\r\n\x1a\n" + self._header + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
        size = HEIGHT_PX.to_bytes(4, "big") + WIDTH_PX.to_bytes(4, "big")
        return png, hashlib.sha256(size + first + self._rest_pixels).digest()


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
