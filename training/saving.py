"""Writing a finished encoder: complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from retrieval.errors import BadInput, MachineFailure
from training.starts import is_static

_WEIGHTS = "model.safetensors"
_SIGN_OF_AN_ENCODER = "modules.json"


def check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything but, where told to, another encoder. Raises BadInput."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput("the output is a file, expected a folder", path=out)
    if not any(out.iterdir()):
        return
    if not overwrite:
        raise BadInput(
            "the output folder already holds something",
            path=out,
            fix="Choose another --out, or give --overwrite where it is an encoder.",
        )
    if not (out / _SIGN_OF_AN_ENCODER).is_file():
        raise BadInput(
            "the output folder holds something that is no encoder, and is left alone", path=out
        )


def check_finite(model: SentenceTransformer) -> None:
    """Refuse an encoder that training has broken. Raises BadInput."""
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise BadInput(
                f"training diverged: {name} holds numbers that are not finite",
                fix="Lower optimizer.learning_rate, or raise loss.temperature.",
            )


def publish_encoder(
    model: SentenceTransformer,
    out: Path,
    *,
    describe: Callable[[Path], None],
    overwrite: bool = False,
) -> None:
    """Write `model` to `out`, whole: whatever happens, `out` is the old encoder, none, or this one.

    describe: writes the files that come with the encoder (card, description) into the folder.
    overwrite: another encoder may be in `out`; it is moved aside first and removed last.
    Raises BadInput where something else appeared in `out` meanwhile, MachineFailure or OSError
    where it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(model, staging)
        describe(staging)
        staging.chmod(0o755)
        check_free(out, overwrite=overwrite)
        _swap(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(model: SentenceTransformer, folder: Path) -> None:
    try:
        model.save_pretrained(str(folder), create_model_card=False)
        if is_static(model):
            halve_static(folder)
    except SafetensorError as error:
        raise MachineFailure(
            f"cannot write the encoder ({error})",
            path=folder,
            fix="Make room. If OUT.checkpoints is there, --resume goes on from it.",
        ) from error


def _swap(staging: Path, out: Path) -> None:
    if not out.exists():
        staging.rename(out)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    out.rename(aside)
    try:
        staging.rename(out)
    except BaseException:
        aside.rename(out)
        raise
    shutil.rmtree(aside)


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
