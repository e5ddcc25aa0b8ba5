"""LAReQA's layout: one SQuAD-like JSON file a language, whose sentences are the candidates.

`LANG.json` (plain, .gz or .zst) holds `data[].paragraphs[]` with `sentences[]`,
`sentence_breaks[][start, end)` (Unicode code points of the paragraph) and
`qas[] {id, question, answers[] {answer_start}}`. One question has the same id in every language.
Source: Roy et al. 2020, arXiv 2004.05484.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import BadInput, DuplicateId, MalformedFile, UnknownLanguage
from retrieval.formats.tree import Node
from retrieval.languages import parse_language
from retrieval.types import UNDECLARED, Passage, Query, QuerySet

ENDINGS = (".json", ".json.gz", ".json.zst")

XQUAD_R_QUESTIONS = 1190
"""Questions of XQuAD-R in each of its languages (arXiv 2004.05484, table 1)."""

XQUAD_R_CANDIDATES: Mapping[str, int] = {
    "ar": 1222,
    "de": 1276,
    "el": 1234,
    "en": 1180,
    "es": 1215,
    "hi": 1244,
    "ru": 1219,
    "th": 852,
    "tr": 1167,
    "vi": 1209,
    "zh": 1196,
}
"""Candidates of XQuAD-R by language (arXiv 2004.05484, table 1)."""

_XQUAD_R_IDS = "1ed6d95302f39c007c13eb890c647ce19e632281c6cd48eb9b430db6c3060bd1"
"""SHA-256 over the sorted question ids of XQuAD-R: what tells it from other data of the layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LareqaFile:
    """One language: its candidates, its questions, and which candidates answer which question.

    passages: in file order, ids `LANG-paragraph-sentence`, both counted from 0 over the file.
    queries: in file order, ids `LANG:question`, with the bare question id as their group.
    answers: bare question id -> ids of the sentences in which its answers start.
    """

    lang: str
    path: Path
    passages: tuple[Passage, ...]
    queries: tuple[Query, ...]
    answers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LareqaSet:
    """Every language of one data set, in the order of their codes."""

    files: tuple[LareqaFile, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """Language codes, ascending."""
        return tuple(file.lang for file in self.files)

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The pool: the candidates of all languages."""
        return tuple(passage for file in self.files for passage in file.passages)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """`{"questions", "candidates"}` by language."""
        return {
            file.lang: {"questions": len(file.queries), "candidates": len(file.passages)}
            for file in self.files
        }

    def query_set(self) -> QuerySet:
        """All questions over the pool: relevant are the correct sentences of every language."""
        answers: dict[str, dict[str, int]] = defaultdict(dict)
        for file in self.files:
            for question, passages in file.answers.items():
                answers[question].update(dict.fromkeys(passages, 1))
        queries = tuple(query for file in self.files for query in file.queries)
        qrels = {query.id: answers[query.group] for query in queries}
        places = {query.id: (file.path, None) for file in self.files for query in file.queries}
        return QuerySet(queries=queries, qrels=qrels, places=places)


def read_lareqa(source: Path | Iterable[Path]) -> LareqaSet:
    """The languages in a folder of `LANG.json[.gz]`, or in the files given.

    Raises BadInput, MalformedFile, UnknownLanguage, DuplicateId. Where the data is XQuAD-R (its
    eleven languages and its question ids), counts other than the published are MalformedFile.
    """
    paths = _files(source) if isinstance(source, Path) else list(source)
    files: dict[str, LareqaFile] = {}
    for path in paths:
        file = read_lareqa_file(path)
        if file.lang in files:
            raise DuplicateId(
                f"language {file.lang!r} occurs twice: also in {files[file.lang].path}", path=path
            )
        files[file.lang] = file
    found = LareqaSet(files=tuple(files[lang] for lang in sorted(files)))
    if is_xquad_r(found):
        _check_published_counts(found)
    return found


def read_lareqa_file(path: Path) -> LareqaFile:
    """One language, told by the file's name. Raises BadInput, MalformedFile, UnknownLanguage."""
    lang = _language(path)
    passages: list[Passage] = []
    queries: dict[str, Query] = {}
    answers: dict[str, tuple[str, ...]] = {}
    for paragraph, place in enumerate(_paragraphs(Node.load(path))):
        sentences = _sentences(place, prefix=f"{lang}-{paragraph}", lang=lang)
        passages += sentences
        for node in place["qas"].elements():
            query = _query(node, lang)
            if query.id in queries:
                raise DuplicateId(f"{node.place}: question id {query.group!r} twice", path=path)
            queries[query.id] = query
            answers[query.group] = _answers(node, _breaks(place), sentences)
    return LareqaFile(
        lang=lang,
        path=path,
        passages=tuple(passages),
        queries=tuple(queries.values()),
        answers=answers,
    )


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    paths = sorted(p for p in folder.glob("*") if p.is_file() and p.name.endswith(ENDINGS))
    if not paths:
        raise BadInput(
            "no LANG.json or LANG.json.gz in this folder" if folder.is_dir() else "no such folder",
            path=folder,
            fix="Give a folder of LAReQA's layout: one JSON file a language, such as de.json.gz.",
        )
    return paths


def _language(path: Path) -> str:
    ending = next((ending for ending in ENDINGS[::-1] if path.name.endswith(ending)), "")
    try:
        lang = parse_language(path.name.removesuffix(ending))
    except UnknownLanguage as error:
        raise UnknownLanguage(
            error.what, path=path, fix="Name a file of LAReQA's layout LANG.json or LANG.json.gz."
        ) from error
    if lang == UNDECLARED:
        raise UnknownLanguage(
            "the file's name gives no language", path=path, fix="Name it LANG.json or LANG.json.gz."
        )
    return lang


def _paragraphs(document: Node) -> Iterator[Node]:
    for article in document["data"].elements():
        yield from article["paragraphs"].elements()


def _sentences(paragraph: Node, *, prefix: str, lang: str) -> list[Passage]:
    return [
        Passage(id=f"{prefix}-{index}", text=sentence.text(), lang=lang)
        for index, sentence in enumerate(paragraph["sentences"].elements())
    ]


def _query(node: Node, lang: str) -> Query:
    identifier = node["id"].text()
    return Query(
        id=f"{lang}:{identifier}", text=node["question"].text(), lang=lang, group=identifier
    )


def _breaks(paragraph: Node) -> list[tuple[int, int]]:
    node = paragraph["sentence_breaks"]
    breaks: list[tuple[int, int]] = []
    for pair in node.elements():
        bounds = [bound.integer() for bound in pair.elements()]
        if len(bounds) != 2:
            raise pair.wrong(f"has {len(bounds)} numbers, expected [start, end)")
        breaks.append((bounds[0], bounds[1]))
    sentences = len(paragraph["sentences"].elements())
    if len(breaks) != sentences:
        raise node.wrong(f"has {len(breaks)} entries for {sentences} sentences")
    return breaks


def _answers(
    node: Node, breaks: list[tuple[int, int]], sentences: list[Passage]
) -> tuple[str, ...]:
    """Ids of the sentences in which the question's answers start, each once."""
    found: dict[str, None] = {}
    for answer in node["answers"].elements():
        place = answer["answer_start"]
        start = place.integer()
        hits = [index for index, (low, high) in enumerate(breaks) if low <= start < high]
        if len(hits) != 1:
            raise place.wrong(f"({start}) lies in {len(hits)} sentences, expected one")
        found[sentences[hits[0]].id] = None
    if not found:
        raise node["answers"].wrong("is empty, expected at least one answer")
    return tuple(found)


def is_xquad_r(data: LareqaSet) -> bool:
    """Whether it is all of XQuAD-R, by languages and question ids: then its counts were checked."""
    if set(data.languages) != set(XQUAD_R_CANDIDATES):
        return False
    ids = sorted({question for file in data.files for question in file.answers})
    return hashlib.sha256("\n".join(ids).encode()).hexdigest() == _XQUAD_R_IDS


def _check_published_counts(data: LareqaSet) -> None:
    for file in data.files:
        expected = {"questions": XQUAD_R_QUESTIONS, "candidates": XQUAD_R_CANDIDATES[file.lang]}
        found = data.counts[file.lang]
        if found != expected:
            raise MalformedFile(
                f"XQuAD-R has {expected['questions']} questions and {expected['candidates']}"
                f" candidates in {file.lang!r}; found {found['questions']} and"
                f" {found['candidates']}",
                path=file.path,
                fix="Copy the published file again.",
            )
