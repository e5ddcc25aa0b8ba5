"""Encoders kept beside the corpora they built, so that a corpus can always be searched."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from retrieval.encoder import Encoder, folder_fingerprint
from retrieval.errors import BadEncoder
from retrieval.store.durable import locked, publish_folder, sync_tree
from retrieval.store.layout import TEMPORARY, encoder_folder, encoders_folder
from retrieval.store.manifest import EncoderRecord


def keep_encoder(root: Path, encoder: Encoder) -> EncoderRecord:
    """Copy an encoder into the store, unless it is there, and say which it is.

    An encoder that came by a hub name is saved as a folder, and the record carries the fingerprint
    of that folder. Raises BadEncoder where the encoder's folder changes meanwhile.
    """
    with locked(encoders_folder(root) / ".lock"):
        _sweep(root)
        if Path(encoder.path).is_dir():
            fingerprint = _keep_folder(root, encoder)
        else:
            fingerprint = _keep_saved(root, encoder)
    return EncoderRecord(fingerprint=fingerprint, path=encoder.path, prompts=encoder.prompts)


def _keep_folder(root: Path, encoder: Encoder) -> str:
    if not encoder_folder(root, encoder.fingerprint).is_dir():
        temporary = _temporary(root)
        shutil.copytree(encoder.path, temporary)
        copied = folder_fingerprint(temporary)
        if copied != encoder.fingerprint:
            shutil.rmtree(temporary)
            raise BadEncoder(
                f"loaded with fingerprint {encoder.fingerprint}, but its files now have {copied}",
                path=encoder.path,
                fix="Start again once nothing writes to that folder.",
            )
        _publish(root, temporary, copied)
    return encoder.fingerprint


def _keep_saved(root: Path, encoder: Encoder) -> str:
    temporary = _temporary(root)
    encoder.model.save_pretrained(str(temporary), create_model_card=False)
    fingerprint = folder_fingerprint(temporary)
    if encoder_folder(root, fingerprint).is_dir():
        shutil.rmtree(temporary)
    else:
        _publish(root, temporary, fingerprint)
    return fingerprint


def _publish(root: Path, temporary: Path, fingerprint: str) -> None:
    sync_tree(temporary)
    publish_folder(temporary, encoder_folder(root, fingerprint))


def _temporary(root: Path) -> Path:
    return encoders_folder(root) / (TEMPORARY + secrets.token_hex(8))


def _sweep(root: Path) -> None:
    """Remove the copies of dead builders; the caller holds the lock."""
    for folder in encoders_folder(root).glob(TEMPORARY + "*"):
        shutil.rmtree(folder, ignore_errors=True)
