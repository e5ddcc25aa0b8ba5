"""What is doubtful about a query set, told before anything is scored.

What makes figures impossible or wrong is an error that reading or ranking raises at once, with file
and line: judgements of unknown queries or passages, ids that occur twice, contradicting judgements,
no judgement at all, no query with a relevant passage. What a reader of the figures should know is a
warning, one of the rules below; `--strict` makes every warning an error.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from retrieval.detection import Detector, contradicts
from retrieval.errors import BadInput
from retrieval.formats.qrels import LocatedQrels
from retrieval.types import UNDECLARED, Place, Query, QuerySet

EXAMPLES = 3


class Rule(StrEnum):
    """Warnings, by what they find."""

    UNJUDGED_QUERY = "unjudged-query"
    NO_POSITIVES = "no-positives"
    REPEATED_JUDGEMENT = "repeated-judgement"
    REPEATED_TEXT = "repeated-text"
    UNICODE_TWINS = "unicode-twins"
    QUERY_IS_PASSAGE = "query-is-passage"
    UNDECLARED_LANGUAGE = "undeclared-language"
    OTHER_LANGUAGE = "other-language"


_MESSAGES: Mapping[Rule, str] = {
    Rule.UNJUDGED_QUERY: "queries have no judgement and are left out",
    Rule.NO_POSITIVES: "judged queries have no relevant passage and are left out",
    Rule.REPEATED_JUDGEMENT: "judgements are given more than once; each counts once",
    Rule.REPEATED_TEXT: "judged queries have the text of another one in their language",
    Rule.UNICODE_TWINS: "ids differ from another one in Unicode normalisation or white space alone",
    Rule.QUERY_IS_PASSAGE: "query ids are passage ids, too: a query may find itself",
    Rule.UNDECLARED_LANGUAGE: "judged queries declare no language",
    Rule.OTHER_LANGUAGE: "judged queries are not in the language they declare",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that found something. examples: the first few; place: of the first, if known."""

    rule: Rule
    count: int
    examples: tuple[str, ...]
    place: Place | None = None

    @property
    def where(self) -> str:
        """`path:line`, `path` or nothing."""
        if self.place is None:
            return ""
        path, line = self.place
        return str(path) if line is None else f"{path}:{line}"

    def __str__(self) -> str:
        shown = ", ".join(self.examples)
        more = f" and {self.count - len(self.examples)} more" if self.count > EXAMPLES else ""
        head = f"{self.where}: " if self.where else ""
        return f"{head}{self.count} {_MESSAGES[self.rule]}: {shown}{more} [{self.rule}]"

    def to_json(self) -> dict[str, object]:
        """For a report; the path is the file's name alone."""
        path, line = self.place or (None, None)
        return {
            "rule": self.rule.value,
            "severity": "warning",
            "count": self.count,
            "message": f"{self.count} {_MESSAGES[self.rule]}",
            "examples": list(self.examples),
            "file": None if path is None else path.name,
            "line": line,
        }


def lint(query_set: QuerySet, *, passage_ids: Iterable[str] = ()) -> list[Finding]:
    """Every rule that finds something, in the order of `Rule`. passage_ids: of the corpus."""
    passages = set(passage_ids)
    judged = [query for query in query_set.queries if query_set.qrels.get(query.id)]
    found: dict[Rule, list[tuple[str, Place | None]]] = {
        Rule.UNJUDGED_QUERY: _located(
            query_set, (q for q in query_set.queries if not query_set.qrels.get(q.id))
        ),
        Rule.NO_POSITIVES: _located(query_set, (q for q in judged if _no_positive(query_set, q))),
        Rule.REPEATED_JUDGEMENT: list(_repeated(query_set)),
        Rule.REPEATED_TEXT: _located(query_set, _same_text(judged)),
        Rule.UNICODE_TWINS: [*_query_twins(query_set), *((i, None) for i in twins(passages))],
        Rule.QUERY_IS_PASSAGE: _located(query_set, (q for q in judged if q.id in passages)),
        Rule.UNDECLARED_LANGUAGE: _located(query_set, (q for q in judged if q.lang == UNDECLARED)),
        Rule.OTHER_LANGUAGE: list(_other_language(query_set, judged)),
    }
    return [_finding(rule, cases) for rule, cases in found.items() if cases]


def check_strict(findings: Sequence[Finding]) -> None:
    """Raises BadInput with the first finding, and the number of others, where there is one."""
    if findings:
        first, others = findings[0], len(findings) - 1
        more = f" (and {others} more rule(s) found something)" if others else ""
        path, line = first.place or (None, None)
        raise BadInput(
            str(first).removeprefix(f"{first.where}: ") + more,
            path=path,
            line=line,
            fix="Mend the files, or leave out --strict to get this as a warning.",
        )


def twins(ids: Iterable[str]) -> Iterator[str]:
    """Those of `ids` that equal an earlier one after NFKC normalisation and trimming."""
    seen: dict[str, str] = {}
    for identifier in ids:
        folded = folded_id(identifier)
        if seen.setdefault(folded, identifier) != identifier:
            yield identifier


def folded_id(identifier: str) -> str:
    """The id without differences that nobody can see."""
    if identifier.isascii():
        return identifier.strip()
    return unicodedata.normalize("NFKC", identifier).strip()


def _finding(rule: Rule, cases: Sequence[tuple[str, Place | None]]) -> Finding:
    examples = tuple(repr(name) for name, _ in cases[:EXAMPLES])
    return Finding(rule=rule, count=len(cases), examples=examples, place=cases[0][1])


def _located(query_set: QuerySet, queries: Iterable[Query]) -> list[tuple[str, Place | None]]:
    return [(query.id, query_set.places.get(query.id)) for query in queries]


def _no_positive(query_set: QuerySet, query: Query) -> bool:
    return not any(relevance > 0 for relevance in query_set.qrels[query.id].values())


def _repeated(query_set: QuerySet) -> Iterator[tuple[str, Place | None]]:
    if isinstance(query_set.qrels, LocatedQrels):
        for judgement in query_set.qrels.repeated:
            name = f"{judgement.query_id} {judgement.passage_id}"
            yield name, (judgement.path, judgement.line)


def _same_text(queries: Iterable[Query]) -> Iterator[Query]:
    seen: set[tuple[str, str]] = set()
    for query in queries:
        if (query.lang, query.text) in seen:
            yield query
        seen.add((query.lang, query.text))


def _query_twins(query_set: QuerySet) -> Iterator[tuple[str, Place | None]]:
    for identifier in twins(query.id for query in query_set.queries):
        yield identifier, query_set.places.get(identifier)


def _other_language(
    query_set: QuerySet, judged: Sequence[Query]
) -> Iterator[tuple[str, Place | None]]:
    declared = [query for query in judged if query.lang != UNDECLARED]
    if not declared:
        return
    detected = Detector().detect([query.text for query in declared])
    for query, found in zip(declared, detected, strict=True):
        if contradicts(query.text, query.lang, found):
            name = f"{query.id} ({query.lang}, reads as {found.lang})"
            yield name, query_set.places.get(query.id)
