"""Threads beside the event loop: one that encodes, a few that search, one that evaluates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import Overloaded
from app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A result with the milliseconds it waited for a thread and ran on it."""

    value: T
    waited_ms: float
    ran_ms: float


class Workers:
    """Bounded thread pools, so that no request makes threads and none blocks the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._encode = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._search = ThreadPoolExecutor(settings.search_threads, thread_name_prefix="search")
        self._evaluate = ThreadPoolExecutor(1, thread_name_prefix="evaluate")
        self._evaluations_left = settings.max_waiting_evaluations

    async def encode(self, work: Callable[[], T]) -> Timed[T]:
        """Run on the thread that encodes queries."""
        return await _run(self._encode, work)

    async def search(self, work: Callable[[], T]) -> Timed[T]:
        """Run on one of the threads that read indexes."""
        return await _run(self._search, work)

    async def evaluate(self, work: Callable[[], T]) -> Timed[T]:
        """Run on the thread of evaluations. Raises Overloaded when too many wait."""
        if self._evaluations_left == 0:
            raise Overloaded("too many evaluations are running or waiting", retry_after_s=10)
        self._evaluations_left -= 1
        try:
            return await _run(self._evaluate, work)
        finally:
            self._evaluations_left += 1

    def close(self) -> None:
        """Finish what runs and stop."""
        for pool in (self._encode, self._search, self._evaluate):
            pool.shutdown()


async def _run(pool: ThreadPoolExecutor, work: Callable[[], T]) -> Timed[T]:
    asked = time.perf_counter()

    def timed() -> Timed[T]:
        began = time.perf_counter()
        value = work()
        return Timed(value, 1e3 * (began - asked), 1e3 * (time.perf_counter() - began))

    return await asyncio.get_running_loop().run_in_executor(pool, timed)
