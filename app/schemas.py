"""What goes over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from retrieval.search.balance import Balance
from retrieval.search.grouping import GroupBy
from retrieval.search.pool import Mode

Text = Annotated[str, Field(min_length=1)]


class SearchRequest(BaseModel):
    """One query, or several, against one corpus."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"corpus": "demo", "query": "How do I get a library card?", "top_k": 3}]
        },
    )

    corpus: str = Field(description="Name of the corpus.")
    query: Text | None = Field(default=None, description="One query; or give `queries`.")
    queries: list[Text] | None = Field(default=None, min_length=1, description="Several queries.")
    version: str | None = Field(default=None, description="A version; default: the active one.")
    top_k: int = Field(default=10, ge=1, description="Hits a query.")
    offset: int = Field(default=0, ge=0, description="Hits to pass over.")
    languages: list[str] = Field(default=[], description="Only passages in these languages.")
    query_language: str | None = Field(
        default=None, description="Language of the queries; default: told from each one's text."
    )
    mode: Mode = Field(default=Mode.DENSE, description="How passages are scored.")
    balance: Balance = Field(default=Balance.NONE, description="How languages share the hits.")
    quota: dict[str, float] = Field(
        default={}, description="Shares by language, for balance `quota`; default: of the corpus."
    )
    min_score: float | None = Field(default=None, description="Only hits with at least this score.")
    filter: dict[str, Any] | None = Field(
        default=None,
        description="Only passages whose metadata match: equality, `in`, `gt`, `gte`, `lt`, `lte`, "
        "`and`, `or`, `not`.",
        examples=[{"source": "wiki", "year": {"gte": 2010, "lt": 2020}}],
    )
    group_by: GroupBy | None = Field(
        default=None,
        description="One hit a document, its best passage; `top_k` and `offset` count documents.",
    )
    exact: bool = Field(default=False, description="Search exactly, whatever the index kind.")
    with_text: bool = Field(default=True, description="Return titles and texts.")

    @model_validator(mode="after")
    def _one_or_several(self) -> SearchRequest:
        if (self.query is None) == (self.queries is None):
            raise ValueError("give either `query` or `queries`")
        return self

    @property
    def texts(self) -> list[str]:
        """The queries."""
        return [self.query] if self.query is not None else list(self.queries or [])


class Hit(BaseModel):
    """A passage found.

    `score` is the cosine similarity; in lexical search the BM25 score. In hybrid search the
    similarities of the passages in the query's language are dealt out in their new order.

    `document` is the document it is a chunk of, its own id where it is a whole one; `start` is
    where its text begins in that document, in characters.
    """

    id: str
    score: float
    lang: str
    title: str | None = None
    text: str | None = None
    url: str | None = None
    metadata: dict[str, Any] = {}
    document: str
    start: int = 0


class Result(BaseModel):
    """The hits of one query, best first."""

    query: str
    hits: list[Hit]


class Took(BaseModel):
    """Milliseconds in the queue, encoding and searching."""

    queue: float
    encode: float
    search: float


class SearchResponse(BaseModel):
    """Results, and what they came from."""

    corpus: str
    version: str
    encoder: str
    took_ms: Took
    results: list[Result]


class CorpusSummary(BaseModel):
    """A corpus and its active version."""

    name: str
    active: str | None = None
    versions: list[str]
    passages: int = 0
    languages: dict[str, int] = {}
    encoder: str | None = None
    dim: int = 0
    kind: str | None = None
    bytes: int = 0
    trouble: str | None = Field(default=None, description="Why it cannot be searched.")


class CorpusList(BaseModel):
    """All corpora."""

    corpora: list[CorpusSummary]


class EncoderInfo(BaseModel):
    """An encoder in use."""

    fingerprint: str
    path: str
    dim: int
    languages: list[str]
    prompts: dict[str, str]


class Info(BaseModel):
    """What this service is and holds."""

    name: Literal["synglot"] = "synglot"
    version: str
    default_encoder: EncoderInfo
    corpora: list[CorpusSummary]
    limits: dict[str, int]


class Health(BaseModel):
    """Whether the service lives, or is ready; `reasons` say why not."""

    status: Literal["ok", "unavailable"]
    reasons: list[str] = []


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:synglot:problem:unknown-corpus"])
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[dict[str, Any]] = []
