"""A service on a thread: answering inside the block, gone after it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from app.server import running
from app.settings import Settings
from retrieval.errors import BadConfig, BadInput


def test_it_answers_inside_the_block_and_not_after(tmp_path: Path) -> None:
    with running(Settings(root=tmp_path, port=0)) as url:
        assert httpx.get(f"{url}/livez").json()["status"] == "ok"
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/livez")


def test_an_address_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    with running(Settings(root=tmp_path, port=0)) as url:
        port = int(url.rsplit(":", 1)[1])
        with (
            pytest.raises(BadInput, match=f"port {port}"),
            running(Settings(root=tmp_path, port=port)),
        ):
            pass
    with (
        pytest.raises(BadConfig, match="other machines"),
        running(Settings(root=tmp_path, host="0.0.0.0")),  # noqa: S104
    ):
        pass
