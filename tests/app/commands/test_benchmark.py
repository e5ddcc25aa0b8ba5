"""`synglot benchmark`: protocols end to end, compared with earlier results and gated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from retrieval.benchmark.domain_saved import read_domain_shift
from tests.retrieval.benchmark.miracl_folder import WORDS, write_language
from tests.retrieval.benchmark.shift import (
    LANGUAGES,
    save_trained,
    write_config,
    write_in_domain,
    write_out_of_domain,
)

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def benchmark(synglot: Any) -> Command:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        answer: tuple[int, str, str] = synglot("benchmark", *arguments)
        return answer

    return run


@pytest.fixture(scope="module")
def lareqa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lareqa")
    write_out_of_domain(folder)
    return folder


@pytest.fixture(scope="module")
def miracl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("miracl")
    for lang in WORDS:
        write_language(folder, lang)
    return folder


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def hashes(report: Any) -> dict[str, str]:
    return {found["file"]: found["sha256"] for found in report["provenance"]["files"]}


def drops_of(before: Any, after: Any, measure: str) -> dict[str, float]:
    """Query language -> how much the mean over its queries fell."""
    values = [
        dict(
            zip(
                report["per_query"]["query"],
                zip(
                    report["per_query"]["lang"],
                    report["per_query"]["views"]["pool"]["values"][measure],
                    strict=True,
                ),
                strict=True,
            )
        )
        for report in (before, after)
    ]
    old, new = values
    languages = sorted({lang for lang, _ in old.values()})
    return {
        lang: fmean(v - new[q][1] for q, (own, v) in old.items() if own == lang)
        for lang in languages
    }


def test_xquad_r_is_compared_with_an_earlier_encoder_and_gated(
    benchmark: Command, lareqa: Path, tiny_encoder: Path, other_encoder: Path, tmp_path: Path
) -> None:
    reports = [tmp_path / "0.json", tmp_path / "1.json"]
    given = ("xquad-r", "--data", lareqa)
    code, out, _ = benchmark(*given, "--encoder", tiny_encoder, "--json", reports[0])
    assert code == 0
    assert "note: this is not the whole of XQuAD-R" in out
    code, out, _ = benchmark(
        *(*given, "--encoder", other_encoder, "--json", reports[1], "--compare", reports[0]),
        *("--gate", "mAP drop<=0 per language", "--gate", "monolingual MRR@10 drop<=1 overall"),
    )
    before, after = map(read, reports)
    failing = {lang: d for lang, d in drops_of(before, after, "mAP").items() if d > 1e-9}
    strict, loose = after["gates"]
    assert code == (1 if failing else 0)
    assert {f["language"]: f["drop"] for f in strict["failing"]} == pytest.approx(failing)
    assert loose["passed"]
    assert f"against 0.json (lareqa0, {before['encoder']['fingerprint']})" in out
    assert list(hashes(after)) == [f"{lang}.json" for lang in LANGUAGES]
    # The other way round another set of languages fails.
    code, _, _ = benchmark(
        *(*given, "--encoder", tiny_encoder, "--compare", reports[1]),
        *("--gate", "mAP drop<=0 per language"),
    )
    back = [d for d in drops_of(after, before, "mAP").values() if d > 1e-9]
    assert code == (1 if back else 0)
    assert failing or back


def test_the_protocols_figures_are_those_of_the_report_beside_them(
    benchmark: Command, lareqa: Path, tiny_encoder: Path
) -> None:
    code, out, _ = benchmark("xquad-r", "--data", lareqa, "--encoder", tiny_encoder, "--json", "-")
    assert code == 0
    report = json.loads(out)
    assert report["protocol"] == "xquad-r"
    names = {"monolingual": "mAP", "cross_lingual": "mAP", "multilingual": "MRR@10"}
    for name, measure in names.items():
        mean = report["protocols"][name][measure]["mean"]
        assert report[name][measure] == pytest.approx(mean)
    assert {"nDCG@10", "Recall@100"} <= set(report["measures"])


def test_a_gate_on_what_the_protocol_lacks_is_refused_before_the_work(
    benchmark: Command, lareqa: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "f.json"
    given = ("xquad-r", "--data", lareqa, "--encoder", tiny_encoder)
    assert benchmark(*given, "--json", saved)[0] == 0
    code, out, err = benchmark(*given, "--compare", saved, "--gate", "P@3 drop<=0.1 overall")
    assert (code, out) == (2, "")
    assert "needs P@3" in err
    code, _, err = benchmark(*given, "--gate", "mAP drop<=0.1 overall")
    assert code == 2
    assert "--compare OTHER.json" in err


def test_miracl_prints_a_row_a_language_and_their_mean(
    benchmark: Command, miracl: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "f.json"
    given = ("miracl", "--data", miracl, "--encoder", tiny_encoder)
    code, out, _ = benchmark(*given, "--measures", "P@5", "--json", figures)
    assert code == 0
    report = read(figures)
    lines = out.splitlines()
    assert lines[0] == f"MIRACL, encoder {report['encoder']['fingerprint']}"
    assert lines[1].split() == ["nDCG@10", "Recall@100", "MRR@10", "P@5", "n"]
    for line, (lang, entry) in zip(lines[2:4], report["by_language"].items(), strict=True):
        means = [f"{entry[name]['mean']:.4f}" for name in lines[1].split()[:-1]]
        assert line.split() == [lang, *means, "7"]
    macro = [f"{value:.4f}" for value in report["macro"].values()]
    assert lines[4].split() == ["mean", *macro]
    assert report["macro"]["nDCG@10"] == pytest.approx(
        fmean(entry["nDCG@10"]["mean"] for entry in report["by_language"].values())
    )
    assert "topics.miracl-v1.0-sw-dev.tsv:8" in out
    for path in miracl.rglob("topics.*"):
        assert hashes(report)[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_miracl_is_compared_and_gated(
    benchmark: Command, miracl: Path, tiny_encoder: Path, other_encoder: Path, tmp_path: Path
) -> None:
    saved, other = tmp_path / "f.json", tmp_path / "g.json"
    given = ("miracl", "--data", miracl)
    assert benchmark(*given, "--encoder", tiny_encoder, "--json", saved)[0] == 0
    gate = ("--compare", saved, "--gate", "nDCG@10 drop<=0.001 per language")
    assert benchmark(*given, "--encoder", tiny_encoder, *gate)[0] == 0
    code, out, _ = benchmark(*given, "--encoder", other_encoder, *gate, "--json", other)
    drops = drops_of(read(saved), read(other), "nDCG@10")
    failing = sorted(lang for lang, drop in drops.items() if drop > 0.001)
    assert code == (1 if failing else 0)
    (found,) = read(other)["gates"]
    assert [f["language"] for f in found["failing"]] == failing
    assert "against f.json (miracl, " in out
    # Fewer languages are another query set.
    code, _, err = benchmark(
        *given, "--languages", "yo", "--encoder", tiny_encoder, "--compare", saved
    )
    assert code == 2
    assert "another query set" in err


def test_miracl_without_its_corpora_is_refused(
    benchmark: Command, test_data: Path, miracl: Path
) -> None:
    code, _, err = benchmark("miracl", "--data", test_data / "miracl")
    assert code == 2
    assert "no corpus in 'ar': expected miracl-corpus-v1.0-ar/docs-*.jsonl.gz" in err
    code, _, err = benchmark("miracl", "--data", miracl, "--languages", "yo, fr")
    assert code == 2
    assert "no topics of MIRACL's dev split in fr" in err
    code, _, err = benchmark("miracl", "--data", miracl, "--split", "train")
    assert code == 2
    assert "train split" in err


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of both domains, and two strategies of two seeds."""
    folder = tmp_path_factory.mktemp("shift")
    write_in_domain(folder / "parallel")
    write_out_of_domain(folder / "lareqa")
    for place in range(4):
        save_trained(folder / f"e{place}", seed=place)
    return folder


def config_of(shift: Path, path: Path, *, reverse: bool = False, **fields: object) -> Path:
    folders = [[str(shift / "e0"), str(shift / "e1")], [str(shift / "e2"), str(shift / "e3")]]
    names = ("hybrid", "monolingual")
    chosen = dict(zip(names, folders[::-1] if reverse else folders, strict=True))
    return write_config(path, shift, **{"strategies": chosen, **fields})


def test_a_domain_shift_is_measured_compared_and_gated_by_strategy(
    benchmark: Command, shift: Path, tmp_path: Path
) -> None:
    config = config_of(shift, tmp_path / "a.yaml")
    saved, other = tmp_path / "f.json", tmp_path / "g.json"
    code, out, _ = benchmark("domain-shift", config, "--json", saved)
    assert code == 0
    report = read(saved)
    assert out.startswith(f"domain shift, {report['candidates']} passages a language in each pool")
    entry = report["strategies"]["hybrid"]["pool"]["MRR@10"]
    assert (
        f"in {entry['in_domain']['mean']:.4f}  out {entry['out_of_domain']['mean']:.4f}"
        f"  drop {100 * entry['relative_drop']:.1f}%"
    ) in out
    drop = report["comparisons"]["hybrid - monolingual"]["pool"]["mAP"]["drop"]
    assert f"difference of drops {drop['difference']:+.4f}" in out
    assert hashes(report)["a.yaml"] == hashlib.sha256(config.read_bytes()).hexdigest()
    assert {"guide.jsonl", "faq.jsonl", *(f"{lang}.json" for lang in LANGUAGES)} <= set(
        hashes(report)
    )

    gate = ("--compare", saved, "--gate", "mAP drop<=0.0001 per language")
    code, out, _ = benchmark("domain-shift", config, *gate, "--json", tmp_path / "again.json")
    assert code == 0
    assert "hybrid: gate 'mAP drop<=0.0001 per language': passed (3 language(s))" in out
    for found in read(tmp_path / "again.json")["comparison"].values():
        assert all(e["difference"] == 0 for e in found["overall"]["pool"].values())

    # The encoders of the two strategies change places: what one gains the other loses.
    swapped = config_of(shift, tmp_path / "b.yaml", reverse=True)
    code, out, _ = benchmark("domain-shift", swapped, *gate, "--json", other)
    assert code == 1
    verdicts = {found["strategy"]: found for found in read(other)["gates"]}
    assert set(verdicts) == {"hybrid", "monolingual"}
    earlier = read_domain_shift(saved).strategies
    now = read_domain_shift(other).strategies
    for name, verdict in verdicts.items():
        values = [found[name].views["pool"].values["mAP"] for found in (earlier, now)]
        languages = earlier[name].languages
        drops = {
            lang: fmean(
                float(a - b) for a, b, own in zip(*values, languages, strict=True) if own == lang
            )
            for lang in LANGUAGES
        }
        failing = {lang: drop for lang, drop in drops.items() if drop > 0.0001}
        assert {f["language"]: f["drop"] for f in verdict["failing"]} == pytest.approx(failing)
        for lang in failing:
            assert f"{name}:   {lang}: drop {failing[lang]:.4f}" in out


def test_a_domain_shift_refuses_what_it_cannot_compare(
    benchmark: Command, shift: Path, tmp_path: Path
) -> None:
    config, saved = config_of(shift, tmp_path / "a.yaml"), tmp_path / "f.json"
    assert benchmark("domain-shift", config, "--json", saved)[0] == 0

    def refused(config: Path, *arguments: str | Path) -> str:
        code, out, err = benchmark("domain-shift", config, *arguments)
        assert (code, out) == (2, "")
        return err

    gate = ("--gate", "P@3 drop<=0.1 overall")
    assert "--compare OTHER.json" in refused(config, *gate)
    assert "needs P@3, which is not measured" in refused(config, "--compare", saved, *gate)
    one = {"other": [str(shift / "e0")]}
    renamed = config_of(shift, tmp_path / "b.yaml", strategies=one)
    assert f"{saved}: it has none of these strategies" in refused(renamed, "--compare", saved)
    small = config_of(shift, tmp_path / "c.yaml", candidates=9)
    assert "its pool out of domain is another one" in refused(small, "--compare", saved)
    assert "is no result of a domain shift" in refused(config, "--compare", _json(tmp_path / "x"))
    assert "no such folder" in refused(config, "--json", tmp_path / "none" / "f.json")
    wrong = config_of(shift, tmp_path / "d.yaml", colour="blue")
    assert f"{wrong}: colour: Extra inputs" in refused(wrong)
    assert "not an encoder folder" in refused(
        config_of(shift, tmp_path / "e.yaml", strategies={"a": [str(tmp_path)]})
    )


def _json(path: Path) -> Path:
    path.write_text('{"contract": "synglot-1", "per_query": {}}')
    return path
