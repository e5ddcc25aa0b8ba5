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

BROKEN_COMPRESSION = (gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError)
"""What reading a cut or damaged file raises."""

# A kilobyte of zstd can unpack to tens of megabytes: read little at a time.
_PACKED_BYTES = 1024


def open_binary(path: Path) -> IO[bytes]:
    """`path` for reading, decompressed by its ending (.gz, .zst); `-` is standard input.

    Reading raises one of BROKEN_COMPRESSION where the file is cut or damaged.
    """
    if path == STDIN:
        return sys.stdin.buffer
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    raw = path.open("rb")
    return io.BufferedReader(_ZstdFrames(raw)) if path.suffix == ".zst" else raw


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
