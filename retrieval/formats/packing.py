"""Files as plain bytes: gzip and zstd by their ending, damaged ones told apart from whole."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import IO, cast

import zstandard

STDIN = Path("-")

MAX_RATIO = {".gz": 200, ".zst": 2000}
"""How many times its size a file may unpack to once it is past RATIO_FREE_BYTES.

Text unpacks to 3-15 times its size from gzip, and a million lines of judgements that only count to
120 times from zstd; a bomb to 1,000 times from gzip, its limit, and to 10,000 and more from zstd.
"""

RATIO_FREE_BYTES = 64 * 2**20
"""A file may unpack to this much at any ratio: a small one of equal lines is nothing to refuse."""


class PackingBomb(Exception):
    """A file that unpacks to more than any honest one of its size."""


BROKEN_COMPRESSION = (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError, PackingBomb)
"""What reading a cut, damaged or malicious file raises."""

# A kilobyte of zstd can unpack to tens of megabytes: read little at a time.
_PACKED_BYTES = 1024

_BUFFER_BYTES = 128 * 2**10


def open_binary(path: Path) -> IO[bytes]:
    """`path` for reading, decompressed by its ending (.gz, .zst); `-` is standard input.

    Reading raises one of BROKEN_COMPRESSION where the file is cut or damaged, or is a bomb.
    """
    if path == STDIN:
        return sys.stdin.buffer
    raw = path.open("rb")
    if path.suffix not in MAX_RATIO:
        return raw
    content = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else _ZstdFrames(raw)
    return io.BufferedReader(_Limited(content, raw, MAX_RATIO[path.suffix]), _BUFFER_BYTES)


class _Limited(io.RawIOBase):
    """Unpacked content as it is. Raises PackingBomb past the ratio to what was read of the file."""

    def __init__(self, content: io.RawIOBase | gzip.GzipFile, raw: IO[bytes], ratio: int) -> None:
        self._content = content
        self._raw = raw
        self._ratio = ratio
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        size = self._content.readinto(cast(bytearray, buffer)) or 0
        self._unpacked += size
        packed = self._raw.tell()
        if self._unpacked > max(RATIO_FREE_BYTES, self._ratio * packed):
            raise PackingBomb(f"{packed} bytes unpack to {self._unpacked} and more")
        return size

    def close(self) -> None:
        if not self.closed:
            self._content.close()
            self._raw.close()
        super().close()


class _ZstdFrames(io.RawIOBase):
    """The content of all frames of a file. Raises EOFError where the last one is not whole.

    zstandard's own reader takes a file that ends inside a frame for one that ends there.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False
        self._packed = b""
        self._content = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._content:
            packed = self._packed or self._raw.read(_PACKED_BYTES)
            self._packed = b""
            if not packed:
                if self._inside:
                    raise EOFError("the file ends inside a frame")
                return 0
            self._unpack(packed)
        size = min(len(view), len(self._content))
        view[:size] = self._content[:size]
        self._content = self._content[size:]
        return size

    def _unpack(self, packed: bytes) -> None:
        if not self._inside:
            self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._inside = True
        self._content = self._frame.decompress(packed)
        if self._frame.eof:
            self._inside = False
            self._packed = self._frame.unused_data

    def close(self) -> None:
        self._raw.close()
        super().close()
