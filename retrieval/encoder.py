"""The one wrapper around sentence-transformers: text to unit vectors, and its identity."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BadEncoder

# torch and sentence-transformers take seconds to import: only what encodes pays for them.
if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

COMPACT = Path(__file__).parent / "encoders" / "compact"
"""The bundled encoder: used wherever none is named."""

DESCRIPTION = "synglot.json"
"""What an encoder was trained on and how; outside the fingerprint."""

QUERY_PROMPT = "query"
PASSAGE_PROMPT = "document"

# Files that say nothing about the vectors: cards, descriptions and what only older versions read.
_NOT_IDENTITY = frozenset({"README.md", DESCRIPTION, ".gitattributes", "training_args.bin"})
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.h5")
_TRUSTED_MODULES = "sentence_transformers."


def shown_path(path: str) -> str:
    """Where an encoder was loaded from, for a report: not where this package is installed."""
    return f"{COMPACT.name} (bundled)" if Path(path) == COMPACT else path


class Encoder:
    """Texts to unit vectors, by any sentence-transformers encoder.

    Queries and passages get the prompts kept in the encoder's own configuration (`query` and
    `document`, as sentence-transformers names them). Build it with `Encoder.load`.
    """

    def __init__(self, model: SentenceTransformer, *, path: str) -> None:
        self.model = model
        self.path = path
        self.model.eval()

    @classmethod
    def load(cls, path: Path | str = COMPACT, *, device: str = "cpu") -> Encoder:
        """The encoder in a folder, or of a hub name; never runs code that came with it.

        Raises BadEncoder where the folder is missing, is no sentence-transformers folder, asks for
        modules that are not sentence-transformers' own, or holds pickled weights.
        """
        from sentence_transformers import SentenceTransformer

        name = str(path)
        if Path(name).exists() or name.startswith((".", "/", "~")):
            check_folder(Path(name))
        try:
            model = SentenceTransformer(name, device=device, trust_remote_code=False)
        except Exception as error:
            raise BadEncoder(
                f"cannot load the encoder {name!r} ({type(error).__name__}: {error})",
                fix="Give a sentence-transformers folder or the name of one on the hub.",
            ) from error
        return cls(model, path=name)

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        return int(self.model.get_embedding_dimension() or 0)

    @property
    def prompts(self) -> dict[str, str]:
        """Prompts put before queries (`query`) and passages (`document`)."""
        known: Mapping[str, str | None] = self.model.prompts
        return {name: known.get(name) or "" for name in (QUERY_PROMPT, PASSAGE_PROMPT)}

    @property
    def tokenize(self) -> Callable[[Sequence[str]], list[list[int]]]:
        """Texts to the token ids the encoder sees, without special tokens."""
        tokenizer: Any = self.model.tokenizer
        if hasattr(tokenizer, "encode_batch"):  # tokenizers.Tokenizer, of static encoders
            return lambda texts: [
                e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)
            ]
        return lambda texts: list(tokenizer(list(texts), add_special_tokens=False)["input_ids"])

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that it reads, prompt and special tokens included; None: all of them."""
        tokenizer: Any = self.model.tokenizer
        if hasattr(tokenizer, "encode_batch"):
            return tokenizer.truncation["max_length"] if tokenizer.truncation else None
        limit = self.model.max_seq_length
        return None if limit is None or limit == float("inf") else int(limit)

    @cached_property
    def count_tokens(self) -> Callable[[Sequence[str]], list[int]]:
        """Texts to the number of their tokens, without special ones and before any is cut off."""
        tokenizer: Any = self.model.tokenizer
        if not hasattr(tokenizer, "encode_batch"):
            return lambda texts: [
                len(ids)
                for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)[
                    "input_ids"
                ]
            ]
        whole = type(tokenizer).from_str(tokenizer.to_str())
        whole.no_truncation()
        whole.no_padding()
        return lambda texts: [
            len(found) for found in whole.encode_batch_fast(list(texts), add_special_tokens=False)
        ]

    def passage_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of passages as it would see them, prompt and special tokens included."""
        tokenizer: Any = self.model.tokenizer
        static = hasattr(tokenizer, "encode_batch")
        special = tokenizer.num_special_tokens_to_add(*([False] if static else []))
        prompt = self.prompts[PASSAGE_PROMPT]
        return [count + special for count in self.count_tokens([prompt + text for text in texts])]

    @cached_property
    def fingerprint(self) -> str:
        """Hash over weights, tokenizer, pooling, prompts, maximum length and normalisation."""
        if Path(self.path).is_dir():
            return folder_fingerprint(Path(self.path))
        return _state_fingerprint(self.model)

    @cached_property
    def description(self) -> dict[str, Any]:
        """The encoder's synglot.json, empty where it has none. Raises BadEncoder."""
        path = Path(self.path) / DESCRIPTION
        if not path.is_file():
            return {}
        try:
            value = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise BadEncoder(f"broken JSON ({error})", path=path) from error
        return value if isinstance(value, dict) else {}

    def encode_queries(
        self, texts: Sequence[str], *, batch_size: int = 256, progress: bool = False
    ) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        return self._encode(texts, QUERY_PROMPT, batch_size, progress)

    def encode_passages(
        self, texts: Sequence[str], *, batch_size: int = 256, progress: bool = False
    ) -> NDArray[np.float32]:
        """Texts to [len(texts), dim] float32 rows of unit length."""
        return self._encode(texts, PASSAGE_PROMPT, batch_size, progress)

    def encode_and_tokenize(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.float32], Sequence[Sequence[int]]]:
        """What `encode_passages` and `tokenize` give, from one tokenization where that can be.

        It can where the encoder is a bag of subwords without a prompt; there tokenizing is most of
        the work.
        """
        if not texts or self.prompts[PASSAGE_PROMPT] or not self._is_static:
            return self.encode_passages(texts), self.tokenize(texts)
        import torch

        features = self.model.preprocess(list(texts))
        ends = [*features["offsets"].tolist()[1:], len(features["input_ids"])]
        ids: list[int] = features["input_ids"].tolist()
        tokens = [ids[start:end] for start, end in pairwise([0, *ends])]
        with torch.inference_mode():
            vectors = self.model(features)["sentence_embedding"]
            vectors = torch.nn.functional.normalize(vectors, p=2, dim=1)
        return np.ascontiguousarray(vectors.cpu().numpy(), dtype=np.float32), tokens

    @property
    def _is_static(self) -> bool:
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        on_cpu = self.model.device.type == "cpu"
        return on_cpu and isinstance(self.model[0], StaticEmbedding)

    def _encode(
        self, texts: Sequence[str], prompt_name: str, batch_size: int, progress: bool
    ) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        vectors = self.model.encode(
            list(texts),
            prompt=self.prompts[prompt_name] or None,
            batch_size=batch_size,
            # sentence-transformers would draw its bar into a file, too.
            show_progress_bar=progress and sys.stderr.isatty(),
            normalize_embeddings=True,
            convert_to_numpy=True,
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no safe sentence-transformers encoder. Raises BadEncoder."""
    modules = folder / "modules.json"
    if not modules.is_file():
        raise BadEncoder(
            "not an encoder folder: it has no modules.json",
            path=folder,
            fix="Give a folder written by `synglot train` or SentenceTransformer.save_pretrained.",
        )
    try:
        types = [module["type"] for module in json.loads(modules.read_text("utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise BadEncoder(f"cannot read it ({error!r})", path=modules) from error
    foreign = [kind for kind in types if not str(kind).startswith(_TRUSTED_MODULES)]
    if foreign:
        raise BadEncoder(
            f"it asks for modules that would run foreign code: {', '.join(map(str, foreign))}",
            path=modules,
            fix="Only sentence-transformers' own modules are loaded.",
        )
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.rglob(pattern))
    pickles = [name for name in pickles if name not in _NOT_IDENTITY]
    if pickles:
        raise BadEncoder(
            f"it holds pickled weights: {', '.join(pickles)}",
            path=folder,
            fix="Save it again as safetensors (save_pretrained does so).",
        )


def folder_fingerprint(folder: Path) -> str:
    """The fingerprint of an encoder folder: every file with a say in the vectors, by content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _NOT_IDENTITY:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(_identity_of(path) + b"\0")
    return digest.hexdigest()[:16]


def _identity_of(path: Path) -> bytes:
    """Content hash of a file; library versions in the encoder's configuration do not count."""
    if path.name == "config_sentence_transformers.json":
        settings = json.loads(path.read_text("utf-8"))
        settings.pop("__version__", None)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).digest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _state_fingerprint(model: SentenceTransformer) -> str:
    """Fingerprint of an encoder that came by name: its tensors, modules and prompts."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + b"\0")
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    digest.update(repr(model).encode())
    digest.update(json.dumps(dict(model.prompts), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def cpu_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
