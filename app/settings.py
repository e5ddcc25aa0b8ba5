"""Every setting of the service, from the environment (`SYNGLOT_*`) or a `.env` file."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from retrieval.encoder import cpu_threads
from retrieval.errors import BadConfig


class Settings(BaseSettings):
    """Settings; an environment variable is the field's name in capitals after `SYNGLOT_`."""

    model_config = SettingsConfigDict(
        env_prefix="SYNGLOT_", env_file=".env", extra="ignore", frozen=True
    )

    root: Path = Field(default=Path("synglot-data"), description="Folder that holds the corpora.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on.")
    insecure: bool = Field(
        default=False, description="Listen on other than loopback addresses without any keys."
    )
    search_threads: int = Field(
        default_factory=cpu_threads, ge=1, description="Searches that run at the same time."
    )
    max_body_bytes: int = Field(
        default=256 * 2**20, ge=1, description="Largest request body, uploads included."
    )
    max_upload_bytes: int = Field(
        default=2**30, ge=1, description="Largest upload of one evaluation once decompressed."
    )
    max_queries: int = Field(default=256, ge=1, description="Queries of one search request.")
    max_top_k: int = Field(default=1_000, ge=1, description="Largest top_k plus offset.")
    max_query_characters: int = Field(
        default=8_192, ge=1, description="Longest query text, in characters."
    )
    max_waiting_evaluations: int = Field(
        default=4, ge=1, description="Evaluations running or waiting; more are answered 429."
    )

    def check_binding(self) -> None:
        """Refuse to listen beyond this machine by accident. Raises BadConfig."""
        if self.insecure or _is_loopback(self.host):
            return
        raise BadConfig(
            f"the service has no keys, and {self.host} can be reached from other machines",
            fix="Listen on 127.0.0.1, or say --insecure where the network is closed.",
        )


def load_settings(**given: object) -> Settings:
    """Settings from the environment and `.env`; those given win. Raises BadConfig."""
    try:
        return Settings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r:.60}"
            for e in error.errors()
        )
        raise BadConfig(
            f"the settings cannot be used ({mistakes})",
            fix="Look at the flags, the SYNGLOT_* variables and .env.",
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
