"""Reports: the figures of an evaluation as one HTML page and as one table."""

from retrieval.reports.html import render_html, write_report
from retrieval.reports.tables import write_csv

__all__ = ["render_html", "write_csv", "write_report"]
