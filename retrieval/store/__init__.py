"""Versions of a corpus on disk: published atomically, opened verified, rolled back."""

from retrieval.store.draft import Draft
from retrieval.store.layout import check_name
from retrieval.store.manifest import EncoderRecord, Manifest, RecallRecord, SpeedRecord
from retrieval.store.prune import Pruned
from retrieval.store.store import Store
from retrieval.store.version import Version

__all__ = [
    "Draft",
    "EncoderRecord",
    "Manifest",
    "Pruned",
    "RecallRecord",
    "SpeedRecord",
    "Store",
    "Version",
    "check_name",
]
