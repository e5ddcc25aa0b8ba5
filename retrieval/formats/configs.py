"""Configurations as YAML: read, filled in from the environment, checked against a model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from retrieval.errors import BadConfig, BadInput

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")

Model = TypeVar("Model", bound=BaseModel)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds. Raises BadInput, BadConfig."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read the configuration ({error.strerror})", path=path) from error
    # A date such as 2024-13-45 is a ValueError, and so is text that is not UTF-8.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise BadConfig(f"broken YAML ({error})", path=path, line=line) from error
    if not isinstance(raw, dict):
        raise BadConfig(f"expected a mapping, found {type(raw).__name__}", path=path)
    return raw


def expanded(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """`${NAME}` and `${NAME:-default}` replaced by environment variables. Raises BadConfig."""
    try:
        return {key: _expand(value, path) for key, value in raw.items()}
    except RecursionError as error:
        raise BadConfig("an alias holds itself", path=path) from error


def checked(model: type[Model], raw: object, *, path: Path | None, fix: str) -> Model:
    """`raw` as a `model`. Raises BadConfig that lists every mistake."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r:.60}"
            for e in error.errors()
        )
        raise BadConfig(mistakes, path=path, fix=fix) from error


def _expand(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match, path), value)
    if isinstance(value, list):
        return [_expand(item, path) for item in value]
    if isinstance(value, dict):
        return {key: _expand(item, path) for key, item in value.items()}
    return value


def _variable(match: re.Match[str], path: Path) -> str:
    found = os.environ.get(match["name"], match["default"])
    if found is None:
        raise BadConfig(f"the environment variable {match['name']} is not set", path=path)
    return found
