"""A report as one HTML file that needs nothing else: no network, no script, no font."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from retrieval.errors import BadInput
from retrieval.formats.runs import replacing
from retrieval.reports import compared, drawings, names, numbers, palette
from retrieval.reports.bias import bias_figures, language_shares
from retrieval.reports.layout import Layout
from retrieval.reports.matrix import Matrix
from retrieval.reports.provenance import provenance
from retrieval.reports.summary import summary

Report = Mapping[str, Any]


def write_report(report: Report, path: Path) -> None:
    """The page of a report; the file takes the place of `path` once it is whole."""
    page = render_html(report)
    with replacing(path) as stream:
        stream.write(page)


def render_html(report: Report) -> str:
    """The page of the JSON object of an evaluation; the same object gives the same bytes.

    A section whose figures the object does not have is left out, and named as left out.
    Raises BadInput where it is no evaluation.
    """
    if not report.get("measures"):
        raise BadInput("there are no measures to report", fix="Give the JSON of an evaluation.")
    matrix = Matrix.of(report)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            summary=summary(report),
            layout=Layout.of(report),
            compared=compared.compared(report),
            overall=compared.overall_rows(report),
            by_language=compared.language_rows(report),
            identities=compared.identities(report),
            matrix=matrix,
            heat_maps=drawings.heat_maps(matrix),
            language_plot=drawings.by_language(report),
            forests=drawings.forests(report),
            bias=bias_figures(report),
            shares=language_shares(report),
            shares_plot=drawings.shares(report),
            ranks_plot=drawings.first_ranks(report),
            provenance=provenance(report),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("retrieval.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": numbers.figure,
        "change": numbers.change,
        "interval": numbers.interval,
        "count": numbers.count,
        "gap": numbers.gap,
        "p": numbers.probability,
        "median": numbers.median,
        "score": numbers.score,
        "measure_name": names.measure_name,
        "measure_words": names.measure_words,
        "bias_words": names.bias_words,
        "encoder_name": names.encoder_name,
        "bin_names": drawings.bin_names,
    }
    environment.globals |= {
        "VIEWS": names.VIEWS,
        "PROTOCOLS": names.PROTOCOLS,
        "Outcome": compared.Outcome,
        "LIGHT": palette.colours(dark=False),
        "DARK": palette.colours(dark=True),
    }
    return environment
