"""Names that may become paths, and those that may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import BadInput
from retrieval.store import Store, check_name
from retrieval.store.layout import (
    CorpusFolder,
    encoder_folder,
    is_version,
    version_id,
    version_number,
)

BAD_NAMES = ["", "../x", "..", ".", "a/b", "/etc", "A", "ä", "x" * 65, ".tmp-x", "-a", "a\n", "a b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a corpus"):
        check_name(name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_method_of_a_store_takes_a_bad_name(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "root")
    for method in (store.versions, store.active, store.manifest, store.open, store.verify):
        with pytest.raises(BadInput):
            method(name)
    for other in (store.rollback, store.delete, store.encoder_path):
        with pytest.raises(BadInput):
            other(name)
    with pytest.raises(BadInput):
        store.activate(name, "v000001")
    with pytest.raises(BadInput), store.draft(name, dim=4):
        pass
    assert not (tmp_path / "root").exists()


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True))
def test_an_accepted_name_is_one_folder_under_the_root(name: str) -> None:
    assert CorpusFolder(Path("/root"), check_name(name)).path.parent == Path("/root/corpora")


@given(st.integers(1, 10**9))
def test_version_ids_keep_their_order(number: int) -> None:
    version = version_id(number)
    assert is_version(version)
    assert version_number(version) == number


@pytest.mark.parametrize("fingerprint", ["", "..", "../../etc", "ABCDEF0123456789", "0123"])
def test_what_is_no_fingerprint_becomes_no_path(fingerprint: str) -> None:
    with pytest.raises(BadInput, match="fingerprint"):
        encoder_folder(Path("/root"), fingerprint)
