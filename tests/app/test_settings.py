"""Settings come from the environment, and the service does not open itself by accident."""

from __future__ import annotations

import pytest

from app.settings import Settings
from retrieval.errors import BadConfig


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNGLOT_PORT", "8123")
    monkeypatch.setenv("SYNGLOT_ROOT", "/srv/store")
    assert Settings().port == 8123
    assert str(Settings().root) == "/srv/store"
    assert Settings(port=9).port == 9


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_permission(host: str) -> None:
    Settings(host=host).check_binding()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104
def test_other_addresses_are_refused_unless_told_to_be_insecure(host: str) -> None:
    with pytest.raises(BadConfig, match="can be reached from other machines"):
        Settings(host=host).check_binding()
    Settings(host=host, insecure=True).check_binding()
