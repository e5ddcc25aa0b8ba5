"""Writing a finished encoder: complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from retrieval.errors import BadInput
from training.starts import is_static

_WEIGHTS = "model.safetensors"


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse to write over something that exists. Raises BadInput."""
    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(
            "the output folder already holds something",
            path=out,
            fix="Choose another --out, or give --overwrite.",
        )


def publish_encoder(
    model: SentenceTransformer, out: Path, *, describe: Callable[[Path], None]
) -> None:
    """Write `model` to `out` in one step: a reader sees the old folder, none, or the whole new one.

    describe: writes the files that come with the encoder (card, description) into the folder.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        model.save_pretrained(str(staging), create_model_card=False)
        if is_static(model):
            halve_static(staging)
        describe(staging)
        staging.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        staging.rename(out)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def halve_static(folder: Path) -> None:
    """Store a StaticEmbedding's vectors as float16 directions and float32 lengths.

    sentence-transformers reads this layout (it is model2vec's: `embeddings` times `weights`) and
    computes in float32; a plain float16 matrix it would compute with in float16.
    """
    path = folder / _WEIGHTS
    if not path.is_file():  # the embedding is not the first module's root file
        path = next(folder.glob(f"*/{_WEIGHTS}"))
    vectors_VD = load_file(path)["embedding.weight"].float()
    lengths_V = vectors_VD.norm(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    directions_VD = (vectors_VD / lengths_V[:, None]).to(torch.float16).contiguous()
    save_file({"embeddings": directions_VD, "weights": lengths_V.contiguous()}, path)
    path.chmod(0o644)
