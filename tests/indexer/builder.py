"""Real builders in processes of their own, to be killed, starved or raced.

Run as a program: `python -m tests.indexer.builder ROOT ENCODER` reads one JSON request a line from
standard input and answers each with one line. It imports everything once and forks a fresh process
for each build, so that a kill costs a fraction of a second.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import sentence_transformers  # noqa: F401 - imported before the fork, not by every child

from indexer.build import build_corpus
from indexer.update import UpdateOptions, add_passages
from retrieval.encoder import Encoder
from retrieval.errors import SynglotError
from retrieval.store import Store
from retrieval.types import Passage

STEPS = {
    **dict.fromkeys(("fsync", "mkdir", "rename", "replace", "unlink"), "posix"),
    "flock": "fcntl",
    "write_index": "faiss._swigfaiss",
}
"""C functions, with their modules, that change what is on disk durably or say who may.

A kill strikes just before the n-th of their calls.
"""


def passages(count: int, tag: str) -> list[Passage]:
    """`count` passages whose ids and texts carry a tag."""
    return [
        Passage(id=f"{tag}-{i}", text=f"{tag} Straßenbahn {i}", lang="de") for i in range(count)
    ]


class KillAt:
    """A profiler that counts steps, and kills its process just before the n-th."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.steps: list[str] = []

    def __call__(self, _frame: FrameType, event: str, function: Any) -> None:
        name = getattr(function, "__name__", "")
        if event == "c_call" and STEPS.get(name, "") == function.__module__:
            self.steps.append(name)
            if len(self.steps) == self.number:
                os.kill(os.getpid(), signal.SIGKILL)


def build(root: Path, encoder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Build as asked, in this process; an update of version `active` where there is one."""
    loaded = Encoder.load(encoder)
    if "limit_bytes" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit_bytes"], resource.RLIM_INFINITY))
    killer = KillAt(request.get("kill_at", 0))
    sys.setprofile(killer)
    try:
        given, chunk = passages(request["count"], request["tag"]), request.get("chunk", 16)
        name, store = request["corpus"], Store(root)
        if "active" in request:
            options = UpdateOptions(active=request["active"], chunk_passages=chunk)
            report = add_passages(name, given, store=store, encoder=loaded, options=options)
        else:
            report = build_corpus(name, given, store=store, encoder=loaded, chunk_passages=chunk)
    except SynglotError as error:
        return {"error": type(error).__name__, "message": str(error)}
    finally:
        sys.setprofile(None)
    return {"version": report.manifest.version, "steps": killer.steps}


def forked(work: Callable[[], dict[str, Any]]) -> tuple[int, int]:
    """Run `work` in a fork: its process id, and where to read its answer."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.close(reader)
    with os.fdopen(writer, "w") as answer:
        json.dump(work(), answer)
    os._exit(0)


def outcome(child: int, reader: int) -> dict[str, Any]:
    """What a fork answered, or that it was killed."""
    with os.fdopen(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return dict(json.loads(text))


def serve(root: Path, encoder: Path) -> None:
    """Answer requests until the input ends: a list of builds runs at once."""
    for line in sys.stdin:
        requests = json.loads(line)
        children = []
        for request in requests:
            children.append(forked(partial(build, root, encoder, request)))
            if "kill_after_s" in request:
                time.sleep(request["kill_after_s"] * random.uniform(0.9, 1.1))  # noqa: S311
                os.kill(children[-1][0], signal.SIGKILL)
        print(json.dumps([outcome(*child) for child in children]), flush=True)  # noqa: T201


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
