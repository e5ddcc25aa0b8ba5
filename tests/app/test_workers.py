"""Thread pools are bounded, and say how long work waited."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from app.errors import Overloaded
from app.settings import Settings
from app.workers import Workers


@pytest.fixture
def workers() -> Workers:
    return Workers(Settings(search_threads=2, max_waiting_evaluations=2))


def test_encoding_is_done_by_one_thread_and_searching_by_at_most_so_many(workers: Workers) -> None:
    async def threads() -> tuple[set[str], set[str]]:
        def work() -> str:
            time.sleep(0.005)
            return threading.current_thread().name

        encoded = await asyncio.gather(*(workers.encode(work) for _ in range(8)))
        searched = await asyncio.gather(*(workers.search(work) for _ in range(8)))
        return {t.value for t in encoded}, {t.value for t in searched}

    encode, search = asyncio.run(threads())
    assert len(encode) == 1
    assert len(search) == 2


def test_waiting_and_running_are_told_apart(workers: Workers) -> None:
    async def timed() -> list[tuple[float, float]]:
        work = lambda: time.sleep(0.05)  # noqa: E731
        done = await asyncio.gather(workers.encode(work), workers.encode(work))
        return [(t.waited_ms, t.ran_ms) for t in done]

    (first_wait, first_run), (second_wait, _) = asyncio.run(timed())
    assert first_run >= 50
    assert second_wait >= first_wait + 45


def test_evaluations_beyond_the_limit_are_refused_and_room_comes_back(workers: Workers) -> None:
    async def scenario() -> None:
        release = threading.Event()
        waiting = [asyncio.create_task(workers.evaluate(release.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await workers.evaluate(lambda: None)
        assert refused.value.status_code == 429
        assert (refused.value.headers or {})["Retry-After"] == "10"
        release.set()
        await asyncio.gather(*waiting)
        assert (await workers.evaluate(lambda: "done")).value == "done"

    asyncio.run(scenario())


def test_a_failure_frees_its_place(workers: Workers) -> None:
    async def scenario() -> None:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await workers.evaluate(lambda: 1 // 0)

    asyncio.run(scenario())
