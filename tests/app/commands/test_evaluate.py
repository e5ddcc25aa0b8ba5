"""`synglot evaluate`: comparison, gates, runs, tags and provenance, by exit code and in files."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import pytrec_eval

from retrieval.evaluation.comparison import compare_per_query
from retrieval.evaluation.saved import SavedEvaluation
from retrieval.store import Store
from tests.retrieval.benchmark.shift import LANGUAGES

Command = Callable[..., tuple[int, str, str]]
Files = tuple[Path, Path]

MEASURES = "MRR@10 mAP nDCG@10 Recall@100 P@5 Success@5 MRR AP@1000"


@pytest.fixture
def evaluate(synglot: Any, city: Path, asked: Files) -> Command:
    """`synglot evaluate` of the query set on the corpus, with more arguments."""

    def run(*arguments: str | Path, measures: str = MEASURES) -> tuple[int, str, str]:
        queries, qrels = asked
        given = ("--queries", queries, "--qrels", qrels, "--root", city, "--measures", measures)
        answer: tuple[int, str, str] = synglot("evaluate", "city", *given, *arguments)
        return answer

    return run


@pytest.fixture
def saved(evaluate: Command, tmp_path: Path) -> Path:
    """The evaluation of the active version."""
    path = tmp_path / "saved.json"
    assert evaluate("--json", path)[0] == 0
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def changed(path: Path, name: str, **fields: object) -> Path:
    """A copy with other fields; None leaves one out."""
    report = {k: v for k, v in (read(path) | fields).items() if v is not None}
    copy = path.with_name(name)
    copy.write_text(json.dumps(report), "utf-8")
    return copy


def values_of(report: Any, measure: str, view: str = "pool") -> dict[str, float]:
    per_query = report["per_query"]
    return dict(zip(per_query["query"], per_query["views"][view]["values"][measure], strict=True))


def test_an_evaluation_compared_with_itself_differs_by_nothing(
    evaluate: Command, saved: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.json"
    code, out, _ = evaluate("--compare", saved, "--json", again)
    assert code == 0
    comparison = read(again)["comparison"]
    entries = [e for view in comparison["overall"].values() for e in view.values()]
    entries += [
        e
        for views in comparison["by_language"].values()
        for view in views.values()
        for e in view.values()
    ]
    assert set(comparison["overall"]) == {"pool", "monolingual", "cross_lingual"}
    assert set(comparison["by_language"]) == set(LANGUAGES)
    for entry in entries:
        assert (entry["difference"], entry["ci95"], entry["p"]) == (0, [0, 0], 1)
        assert (entry["wins"], entry["losses"], entry["ties"]) == (0, 0, entry["n"])
    assert comparison["baseline"]["file"] == "saved.json"
    assert "against saved.json (city v000001, " in out
    assert "pool MRR@10                  +0.0000  [+0.0000, +0.0000]  p 1.0000  0/45/0 won" in out
    assert read(again)["gates"] == []


def test_a_comparison_with_another_version_is_that_of_the_two_sets_of_values(
    evaluate: Command, saved: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    given = ("--version", "v000002", "--compare", saved, "--json", other, "--seed", "5")
    assert evaluate(*given)[0] == 0
    report = read(other)
    first, second = SavedEvaluation.read(other).per_query, SavedEvaluation.read(saved).per_query
    expected = json.loads(json.dumps(compare_per_query(first, second, seed=5).to_json()))
    baseline = report["comparison"].pop("baseline")
    assert report["comparison"] == expected
    difference = {
        query: value - values_of(read(saved), "mAP")[query]
        for query, value in values_of(report, "mAP").items()
    }
    assert any(difference.values())
    assert expected["overall"]["pool"]["mAP"]["difference"] == pytest.approx(
        fmean(difference.values())
    )
    assert baseline["version"] == "v000001"
    assert baseline["encoder"] == read(saved)["encoder"] != report["encoder"]
    assert baseline["command"] == read(saved)["provenance"]["command"]


@pytest.mark.parametrize("live", ["v000001", "v000002"])
def test_a_gate_fails_in_the_languages_that_dropped_too_far(
    evaluate: Command, tmp_path: Path, live: str
) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    candidate = {"v000001": "v000002", "v000002": "v000001"}[live]
    assert evaluate("--version", live, "--json", before)[0] == 0
    code, out, err = evaluate(
        *("--version", candidate, "--compare", before, "--json", after),
        *("--gate", "mAP drop<=0.001 per language", "--gate", "mAP drop<=0.9 overall"),
    )
    old, new = values_of(read(before), "mAP"), values_of(read(after), "mAP")
    drops = {lang: fmean(old[q] - new[q] for q in old if q.startswith(lang)) for lang in LANGUAGES}
    failing = {lang: drop for lang, drop in drops.items() if drop > 0.001}
    strict, loose = read(after)["gates"]
    assert code == (1 if failing else 0)
    assert err == ""
    assert loose == {"rule": "mAP drop<=0.9 overall", "passed": True, "checked": 1, "failing": []}
    assert strict["checked"] == 3
    assert strict["passed"] is not bool(failing)
    assert {f["language"]: f["drop"] for f in strict["failing"]} == pytest.approx(failing)
    lines = out.splitlines()
    head = f"gate 'mAP drop<=0.001 per language': {'FAILED' if failing else 'passed'} (3 language"
    (place,) = (i for i, line in enumerate(lines) if line.startswith(head))
    for found, line in zip(strict["failing"], lines[place + 1 :], strict=False):
        low, high = found["ci95"]
        assert low <= found["drop"] <= high
        assert line == (
            f"  {found['language']}: drop {found['drop']:.4f}, 95% interval"
            f" [{low:.4f}, {high:.4f}], p {found['p']:.4f}, n={found['n']}"
        )
    assert lines[-1] == "gate 'mAP drop<=0.9 overall': passed (overall)"


def test_one_of_two_encoders_is_worse(evaluate: Command, tmp_path: Path) -> None:
    """So that the test before this one has seen a gate fail."""
    codes = []
    for live, candidate in (("v000001", "v000002"), ("v000002", "v000001")):
        before = tmp_path / f"{live}.json"
        assert evaluate("--version", live, "--json", before)[0] == 0
        given = ("--compare", before, "--gate", "mAP drop<=0 per language", "--json", "-")
        code, out, _ = evaluate("--version", candidate, *given)
        assert json.loads(out)["gates"][0]["passed"] == (code == 0)  # JSON alone on stdout
        codes.append(code)
    assert 1 in codes


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ("mAP falls", "is no rule"),
        ("MRR@5 drop<=0.1 overall", "needs MRR@5, which is not measured"),
        ("nDCG@3 drop<=0.1 overall", "needs nDCG@3 of the view 'pool', which the earlier"),
        ("speed@3 drop<=0.1 overall", "unknown measure 'speed@3'"),
    ],
)
def test_a_gate_that_cannot_be_checked_is_refused_before_the_work(
    evaluate: Command, saved: Path, tmp_path: Path, gate: str, says: str
) -> None:
    target = tmp_path / "after.json"
    measures = "mAP nDCG@3" if "nDCG" in gate else "mAP"
    if "MRR@5" in gate:  # the earlier evaluation has it
        assert evaluate("--json", saved, measures="mAP MRR@5")[0] == 0
    code, out, err = evaluate(
        "--compare", saved, "--gate", gate, "--json", target, measures=measures
    )
    assert (code, out) == (2, "")
    assert says in err
    assert not target.exists()


def test_a_gate_needs_something_to_compare_with(evaluate: Command) -> None:
    code, _, err = evaluate("--gate", "mAP drop<=0.01 overall")
    assert code == 2
    assert "a gate needs an earlier evaluation. Name its file: --compare OTHER.json" in err


def test_doubts_are_notes_and_errors_where_strict(evaluate: Command, asked: Files) -> None:
    queries, _ = asked
    code, out, _ = evaluate()
    assert code == 0
    assert "46 judged queries, 1 without a relevant passage left out" in out
    assert "note: 1 queries have no judgement and are left out ('en:new', queries.jsonl:47)" in out
    code, _, err = evaluate("--strict")
    assert code == 2
    assert err.startswith(f"synglot: {queries}:47: 1 queries have no judgement")
    assert "[unjudged-query] (and " in err
    assert "leave out --strict" in err


def trec_values(
    run: Path, qrels: Path, names: dict[str, str]
) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Our name -> query -> pytrec_eval's value; and the queries of the run."""
    judged: dict[str, dict[str, int]] = {}
    for line in qrels.read_text("utf-8").splitlines()[1:]:
        query, passage, relevance = line.split("\t")
        judged.setdefault(query, {})[passage] = int(relevance)
    ranked: dict[str, dict[str, float]] = {}
    for line in run.read_text("utf-8").splitlines():
        query, _, passage, _, score, _ = line.split(" ")
        ranked.setdefault(query, {})[passage] = float(score)
    evaluator = pytrec_eval.RelevanceEvaluator(judged, set(names.values()))
    found = evaluator.evaluate(ranked)
    assert found
    return {n: {q: row[t] for q, row in found.items()} for n, t in names.items()}, set(ranked)


def test_trec_eval_reproduces_every_value_from_an_exported_run(
    evaluate: Command, saved: Path, asked: Files, tmp_path: Path
) -> None:
    run = tmp_path / "run.trec"
    assert evaluate("--run", run)[0] == 0
    names = {
        "mAP": "map",
        "nDCG@10": "ndcg_cut_10",
        "Recall@100": "recall_100",
        "P@5": "P_5",
        "Success@5": "success_5",
        "MRR": "recip_rank",
        "AP@1000": "map_cut_1000",
    }
    theirs, ranked = trec_values(run, asked[1], names)
    assert len(ranked) == 47  # unjudged queries have a ranking, too
    for name in names:
        ours = values_of(read(saved), name)
        assert len(ours) == 45
        for query, value in ours.items():
            assert theirs[name][query] == pytest.approx(value, abs=1e-9)


def test_a_run_is_cut_at_its_depth(evaluate: Command, asked: Files, tmp_path: Path) -> None:
    run = tmp_path / "run.trec"
    assert evaluate("--run", run, "--run-depth", "7")[0] == 0
    lines = run.read_text("utf-8").splitlines()
    assert len(lines) == 47 * 7
    assert lines[6].split(" ")[3] == "7"


def test_an_exported_run_has_the_values_of_its_ranking_within_its_depth(
    evaluate: Command, saved: Path, tmp_path: Path
) -> None:
    run, again, deep = tmp_path / "run.trec", tmp_path / "again.json", tmp_path / "deep.json"
    assert evaluate("--run", run, "--run-depth", "10")[0] == 0
    code, out, _ = evaluate("--from-run", run, "--json", again)
    assert code == 0
    assert "city v000001, a run: 46 judged queries" in out
    report, original = read(again), read(saved)
    assert report["encoder"] is None
    assert report["queries"] == original["queries"]
    for measure in ("MRR@10", "nDCG@10", "P@5", "Success@5"):
        assert values_of(report, measure) == values_of(original, measure)
    assert values_of(report, "mAP") != values_of(original, "mAP")
    assert [f["file"] for f in report["provenance"]["files"]][-1] == "run.trec"
    # At full depth everything is the same, the views of languages included.
    assert evaluate("--run", run)[0] == 0
    assert evaluate("--from-run", run, "--json", deep)[0] == 0
    assert read(deep)["per_query"] == original["per_query"]


def test_a_comparison_with_a_run_says_so(evaluate: Command, tmp_path: Path) -> None:
    run, first = tmp_path / "run.trec", tmp_path / "first.json"
    assert evaluate("--run", run)[0] == 0
    assert evaluate("--from-run", run, "--json", first)[0] == 0
    code, out, _ = evaluate("--compare", first)
    assert code == 0
    assert "against first.json (city v000001, a run)" in out


def test_queries_that_a_run_leaves_out_score_nothing_and_are_counted(
    evaluate: Command, tmp_path: Path
) -> None:
    run, figures = tmp_path / "run.trec", tmp_path / "f.json"
    assert evaluate("--run", run)[0] == 0
    lines = run.read_text("utf-8").splitlines(keepends=True)
    run.write_text("".join(line for line in lines if not line.startswith("de:q3 ")), "utf-8")
    code, out, _ = evaluate("--from-run", run, "--json", figures)
    assert code == 0
    assert "1 missing from the ranking" in out
    assert read(figures)["queries"]["missing"] == 1
    assert values_of(read(figures), "mAP")["de:q3"] == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("de:q0 Q0 de-0 2 0.5 x", "query 'de:q0' has passage 'de-0' twice"),
        ("de:q0 Q0 de-1 2 nan x", "score 'nan' is not a finite number"),
        ("de:q0 Q0 de-1 2 inf x", "score 'inf' is not a finite number"),
        ("de:q0 Q0 de-1 2 1e39 x", "score '1e39' is not a finite number"),
        ("de:q0 Q0 de-1 0.5", "4 columns, expected 6"),
        ("de:q0 Q0 nowhere 2 0.5 x", "the run names the passage 'nowhere'"),
    ],
)
def test_a_broken_run_is_refused_with_its_place(
    evaluate: Command, tmp_path: Path, line: str, says: str
) -> None:
    run = tmp_path / "run.trec"
    run.write_text(f"de:q0 Q0 de-0 1 0.9 x\n{line}\n")
    code, out, err = evaluate("--from-run", run)
    assert (code, out) == (2, "")
    assert err.startswith(f"synglot: {run}:2: {says}")


def test_a_run_of_other_queries_is_refused(evaluate: Command, tmp_path: Path) -> None:
    run = tmp_path / "run.trec"
    run.write_text("q0 Q0 de-0 1 0.9 x\n")
    code, _, err = evaluate("--from-run", run)
    assert code == 2
    assert f"{run}: the run holds none of the judged queries" in err


def test_tags_of_queries_are_read_from_files(
    evaluate: Command, saved: Path, tmp_path: Path
) -> None:
    domains, groups = tmp_path / "domains.tsv", tmp_path / "groups.tsv"
    ids = list(values_of(read(saved), "mAP"))
    tag = {name: "in" if int(name[4:]) % 3 else "out" for name in ids}
    domains.write_text("".join(f"{name}\t{tag[name]}\n" for name in ids))
    groups.write_text("".join(f"{name}\tg{int(name[4:]) // 5}\n" for name in ids))
    figures = tmp_path / "f.json"
    code, *_ = evaluate("--domains", domains, "--groups", groups, "--json", figures)
    assert code == 0
    report = read(figures)
    assert set(report["domains"]) == {"in", "out"}
    for domain, found in report["domains"].items():
        inside = {q: v for q, v in values_of(report, "mAP").items() if tag[q] == domain}
        means = [fmean(v for q, v in inside.items() if q.startswith(lang)) for lang in LANGUAGES]
        assert found["n"] == len(inside)
        assert found["mAP"] == pytest.approx(fmean(means))
    assert set(report["per_query"]["group"]) == {"g0", "g1", "g2"}
    assert values_of(report, "mAP") == values_of(read(saved), "mAP")
    # Three clusters instead of fifteen: other intervals.
    assert report["measures"]["mAP"]["ci95"] != read(saved)["measures"]["mAP"]["ci95"]
    names = [found["file"] for found in report["provenance"]["files"]]
    assert names == ["queries.jsonl", "qrels.tsv", "domains.tsv", "groups.tsv"]


def test_a_tag_of_an_unknown_query_is_refused(evaluate: Command, tmp_path: Path) -> None:
    domains = tmp_path / "domains.tsv"
    domains.write_text("de:q0\tin\nde:q99\tin\n")
    code, _, err = evaluate("--domains", domains)
    assert code == 2
    assert "'de:q99'" in err


def test_provenance_repeats_the_evaluation(
    synglot: Any, saved: Path, asked: Files, city: Path
) -> None:
    found = read(saved)["provenance"]
    for path, entry in zip(asked, found["files"], strict=True):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert entry == {"file": path.name, "sha256": digest, "bytes": len(content)}
    manifest = Store(city).manifest("city", "v000001")
    assert found["index"]["passages"] == 120
    assert found["index"]["vectors_sha256"] == manifest.files["vectors.npy"].sha256
    first = read(saved)
    command = shlex.split(found["command"])
    assert command[:3] == ["synglot", "evaluate", "city"]
    saved.unlink()
    assert synglot(*command[1:])[0] == 0
    assert {k: v for k, v in read(saved).items() if k != "provenance"} == {
        k: v for k, v in first.items() if k != "provenance"
    }


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"contract": "synglot-0"}, "made by the contract 'synglot-0', this is 'synglot-1'"),
        ({"contract": None}, "has no field 'contract'"),
        ({"per_query": None}, "has no field 'per_query'. Give a file that `synglot evaluate`"),
        ({"data": {"query_set": "0123"}}, "of another query set, or of other judgements"),
        ({"per_query": {"query": ["a", "a"]}}, "per_query.query names a query twice"),
    ],
)
def test_a_file_that_cannot_be_compared_with_is_refused(
    evaluate: Command, saved: Path, fields: dict[str, object], says: str
) -> None:
    other = changed(saved, "other.json", **fields)
    code, out, err = evaluate("--compare", other)
    assert (code, out) == (2, "")
    assert err.startswith(f"synglot: {other}: ")
    assert says in err


@pytest.mark.parametrize(
    ("content", "says"),
    [("mAP 0.5", "broken JSON"), ("[1]", "expected a JSON object"), ("", "broken JSON")],
)
def test_what_is_no_evaluation_is_refused(
    evaluate: Command, tmp_path: Path, content: str, says: str
) -> None:
    other = tmp_path / "other.json"
    other.write_text(content)
    code, _, err = evaluate("--compare", other)
    assert code == 2
    assert f"{other}: {says}" in err
    code, _, err = evaluate("--compare", tmp_path / "none.json")
    assert code == 2
    assert "No such file" in err


def test_an_evaluation_of_other_judgements_is_not_compared_with(
    evaluate: Command, saved: Path, asked: Files
) -> None:
    with asked[1].open("a") as stream:
        stream.write("de:q0\tde-7\t1\n")
    code, _, err = evaluate("--compare", saved)
    assert code == 2
    assert "of another query set, or of other judgements" in err


@pytest.mark.parametrize("option", ["--json", "--run", "--report", "--csv"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    evaluate: Command, tmp_path: Path, option: str
) -> None:
    # A corpus that is not there would be the first complaint of the work.
    for target, says in ((tmp_path / "none" / "f", "no such folder"), (tmp_path, "it is a folder")):
        code, _, err = evaluate("--version", "v000009", option, target)
        assert (code, err[: len("synglot: ") + len(str(target))]) == (2, f"synglot: {target}")
        assert says in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_the_machines_failure(
    evaluate: Command, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    code, _, err = evaluate("--json", locked / "f.json")
    assert code == 3
    assert "permission denied" in err


def test_standard_input_is_refused_for_what_is_read_twice(synglot: Any, city: Path) -> None:
    code, _, err = synglot("evaluate", "city", "--queries", "-", "--root", city)
    assert code == 2
    assert "standard input cannot be" in err
