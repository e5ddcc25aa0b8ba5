"""Locks, pointers and the machine's refusals."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retrieval.errors import MachineFailure
from retrieval.store.durable import locked, machine_failures, make_folder, replace_text, try_lock


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "corpus" / ".lock", [0], [0]

    def enter() -> None:
        for _ in range(20):
            with locked(path):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_lock_whose_folder_is_deleted_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "corpus" / ".lock"
    held = threading.Event()

    def wait_for_it() -> None:
        with locked(path):
            held.set()

    with locked(path):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        assert not held.wait(0.05)
        shutil.rmtree(path.parent)
    waiter.join()
    assert held.is_set()
    assert path.exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys, time; from pathlib import Path\n"
        "from retrieval.store.durable import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        assert try_lock(path) is None
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    descriptor = try_lock(path)
    assert descriptor is not None
    os.close(descriptor)


def test_a_pointer_is_replaced_whole_and_leaves_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "CURRENT"
    for text in ("v000001\n", "v000002\n"):
        replace_text(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


@pytest.mark.parametrize(
    ("number", "fix"), [(errno.ENOSPC, "Free space"), (errno.EACCES, "permissions")]
)
def test_what_the_machine_refuses_says_where_and_what_to_do(
    tmp_path: Path, number: int, fix: str
) -> None:
    with pytest.raises(MachineFailure, match=fix) as caught, machine_failures(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))
    assert caught.value.path == str(tmp_path / "file")
    assert os.strerror(number) in caught.value.what
