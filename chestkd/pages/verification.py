"""The published tables, computed again from the records of their runs.

Tables 1 to 3, the numbers of Figure 6, the claims, the origin of the runs and the tables of each
run are made by the functions that made the pages, but from `chestkd.pages.records`: without
weights, images or a network. What is published is in the notebooks: as CSV behind each table's
link, to the last digit, and in the cells of the table, rounded.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pandas as pd

from chestkd import workspace
from chestkd.pages import claims, figure_6, provenance, records, table_1, table_2, table_3
from chestkd.pages.run import RunPage, references
from chestkd.study import table_cells

Rows = list[list[str]]
_HTML = ("text/html", "application/papermill.record/text/html")
_TABLE = re.compile(
    r'<div class="chestkd-table" id="([^"]*)">.*?<table>(.*?)</table>.*?'
    r'<a download="[^"]*" href="data:text/csv;charset=utf-8,([^"]*)">',
    re.DOTALL,
)


class Verified(NamedTuple):
    """What a verification compared, and a line for each thing that is not as published."""

    problems: list[str]
    #: Runs, tables that were computed again, and their cells that are not empty.
    runs: int = 0
    tables: int = 0
    cells: int = 0

    def summary(self, seconds: float) -> str:
        """What was compared, in a line."""
        return (
            f"{self.cells:,} cells of {self.tables} tables were computed again from the records "
            f"of {self.runs} runs in {workspace.duration(seconds)}"
        )


def verify(notebooks: Path, folder: Path | None = None) -> Verified:
    """Compare the tables in a folder of published notebooks with their records.

    ``folder``: the records; those that the notebooks name by default. Where a record is not as its
    manifest says, the numbers are not compared. Raises ValueError for notebooks that cannot be read
    or name no preset, and FileNotFoundError where there are no records of theirs.
    """
    published = {
        str(path.relative_to(notebooks).with_suffix("")): PublishedTables(path)
        for path in sorted(notebooks.rglob("*.ipynb"))
    }
    presets = {page.preset for page in published.values()}
    if folder is None:
        if len(presets) != 1 or not all(presets):
            raise ValueError(
                f"{notebooks}: expected notebooks of one preset, which `make edition` names; "
                f"received {sorted(presets)}"
            )
        folder = records.folder_of(*presets)
    if not (folder / records.MANIFEST).is_file():
        raise FileNotFoundError(f"no {folder / records.MANIFEST}; `make edition` writes records")
    problems = records.changed(folder)
    if problems:
        return Verified(problems)
    study = records.read(folder)
    computed = tables(study)
    problems = [f"{notebooks / page}.ipynb is not there" for page in {*computed} - {*published}]
    for name, page in published.items():
        problems += page.differences(computed.get(name, {}))
    frames = [frame for page in computed.values() for frame in page.values()]
    cells = sum(int(frame.count().sum()) for frame in frames)
    return Verified(problems, len(study.store.runs()), len(frames), cells)


def tables(study: records.Recorded) -> dict[str, dict[str, pd.DataFrame]]:
    """Every table that follows from records, by notebook and by its name there."""
    resamples = study.preset.resamples
    planned = table_cells.cells(study)
    measured = table_cells.mean_aucs(planned, resamples)
    cells = table_1.table1(study.preset.pairs, planned, measured)
    times = table_2.table2(planned)
    columns, _ = table_3.measured_columns(study)
    data = study.describe()["name"]
    effects = claims.study_effects(study, planned)
    ledger = claims.ledger(effects)
    runs = {run: study.find(run) for run in study.planned()}
    pages = {
        "table-1": {
            "table-1": table_1.table1_layout(cells),
            "table-1-cells": cells,
            "table-1-noise": table_1.noise(measured),
        },
        "table-2": {
            "table-2": table_2.run_by_run(times),
            "table-2-whole": table_2.whole_procedure(times),
        },
        "table-3": {
            "table-3": table_3.table3({f"{name} ({data})": auc for name, auc in columns.items()})
        },
        "figure-6": _figure_6(study),
        "claims": {
            "claims": ledger,
            "claims-verdicts": ledger[["claim", "the paper says", "verdict"]],
            "claims-comparisons": claims.comparisons(effects, planned),
        },
        "provenance": {"provenance-runs": provenance.runs_table(runs)},
    }
    if any(runs.values()):
        pages["provenance"]["provenance-environments"] = provenance.environments(runs)
    for name, run in runs.items():
        compared = {
            title: study.find(other) for title, other in references(study.preset, name).items()
        }
        if run is None or run.diverged:
            continue
        page = {f"{name.key}-auc": table_3.run_auc_table(run, resamples=resamples)}
        if compared:
            others = {title: other for title, other in compared.items() if other is not None}
            page[f"{name.key}-against"] = RunPage(study, name, run, others).differences()
        pages[f"runs/{name.key}"] = page
    for key, run in study.pretraining_runs().items():
        if not run.diverged:
            table = table_3.run_auc_table(run, resamples=resamples)
            pages[f"runs/{key}"] = {f"{key}-auc": table}
    return pages


def _figure_6(study: records.Recorded) -> dict[str, pd.DataFrame]:
    found = {title: study.find(run) for title, run in figure_6.compared(study.preset).items()}
    histories = {title: run.history() for title, run in found.items() if run is not None}
    if not histories:
        return {}
    page = {"figure-6-record": figure_6.histories(histories)}
    if all(run is not None and not run.diverged for run in found.values()):
        absent = figure_6.always_absent(study.validation_labels())
        page["figure-6-numbers"] = figure_6.summary(
            histories["self-training"], histories["base"], absent
        )
    return page


class PublishedTables(dict[str, tuple[Rows, Rows]]):
    """The tables of a published notebook by name: the cells that it shows, and its CSV.

    Raises ValueError where the file is no notebook.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not a notebook: {error}") from None
        self.preset: str = notebook["metadata"].get("chestkd", {}).get("preset", "")
        for output in (out for cell in notebook["cells"] for out in cell.get("outputs", [])):
            for kind in _HTML:
                html = "".join(output.get("data", {}).get(kind, []))
                for name, table, content in _TABLE.findall(html):
                    self[name] = _cells(table), _rows(unquote(content))

    def differences(self, computed: Mapping[str, pd.DataFrame]) -> list[str]:
        """A line for each table that is missing and each cell that differs.

        Every table is compared with its own CSV; those in ``computed`` also with that.
        """
        lines = [f"{self.path}: table {name} is not there" for name in computed if name not in self]
        for name, (cells, exact) in self.items():
            where = f"{self.path}: table {name}"
            lines += _differences(where, cells, exact, "shown", "in its CSV", _is_rounded)
            if name in computed:
                again = _rows(computed[name].to_csv(index=False))
                lines += _differences(where, exact, again, "published", "computed", _is_equal)
        return lines


def _cells(table: str) -> Rows:
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows)
    return [[unescape(re.sub(r"</?strong>", "", cell)) for cell in row] for row in cells]


def _rows(content: str) -> Rows:
    return list(csv.reader(io.StringIO(content)))


def _differences(
    where: str, given: Rows, exact: Rows, first: str, second: str, agree: Callable[[str, str], bool]
) -> Iterator[str]:
    """A line for each cell of one table that does not agree with the other's."""
    if [len(row) for row in given] != [len(row) for row in exact]:
        sizes = (f"{len(rows)} x {len(rows[0]) if rows else 0} cells" for rows in (given, exact))
        yield f"{where}: {first} {next(sizes)}, {second} {next(sizes)}"
        return
    for number, (row, expected) in enumerate(zip(given, exact, strict=True)):
        named = f"{where}, row {number} ({' '.join(expected[:2])})"
        for column, one, other in zip(exact[0], row, expected, strict=True):
            if not agree(one, other):
                yield f"{named}, column {column!r}: {first} {one!r}, {second} {other!r}"


def _is_equal(given: str, exact: str) -> bool:
    """Whether two texts are the same, or numbers up to the order in which they were added."""
    try:
        return given == exact or math.isclose(
            float(given), float(exact), rel_tol=1e-12, abs_tol=1e-14
        )
    except ValueError:
        return False


def _is_rounded(given: str, exact: str) -> bool:
    """Whether a text is another one, or a number is another one as a table rounds it."""
    if given == exact:
        return True
    percent = given.endswith("%")
    text = given.rstrip("%").replace(",", "")
    try:
        difference = abs(float(text) / (100 if percent else 1) - float(exact))
    except ValueError:
        return False
    digits = len(text.partition(".")[2]) + 2 * percent
    return difference <= 0.5 * 10.0**-digits * (1 + 1e-9)
