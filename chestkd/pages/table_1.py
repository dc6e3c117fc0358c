"""Table 1 of the paper with the measured AUCs beside the printed ones, and the noise of runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.distillation.strategies import roles
from chestkd.networks.architectures import NETWORKS
from chestkd.paper import published
from chestkd.paper.comparisons import RunKey
from chestkd.study.table_cells import NOT_PLANNED, Cell, Cells, Measured, Measurements, estimate

# The strategies whose runs of a network by itself are one procedure under three names.
ONE_PROCEDURE = ("self-training", "standard", "reversed")
# In Table 1 each teacher's own base training stands in the first column; here, in a row of its own.
ALONE = "(none)"
# The lines of a row of Table 1 in `table1_layout`.
LINES = ("paper", "measured", "95 % interval", "difference")
_COLUMNS = ("base", "self-training", "standard", "reversed", "defective")


def title(network: str) -> str:
    """A network as tables print it; "" for none."""
    return NETWORKS[network].title if network else ""


def table1(pairs: list[tuple[str, str]], cells: Cells, measured: Measurements) -> pd.DataFrame:
    """Table 1 cell by cell: the paper's rows, then those of the preset's other ``pairs``.

    ``teacher``, ``student``: the row, which is `ALONE` for a teacher's own base training;
    ``strategy``: the column; ``network``: the one that is trained and scored; ``taught by``: the
    one that teaches it; ``paper``;
    ``measured``, ``low``, ``high``: mean test AUC over the seeds and its 95 % interval;
    ``difference``: measured minus paper in points (AUC x 100); ``deviation``: between seeds, in
    points; ``runs``; ``missing``: why there are no scores of some seeds, or of any.
    """
    printed = {
        RunKey(*key): auc
        for *key, auc in published.table1_runs()[[*published.RUN_KEY, "auc"]].itertuples(
            index=False, name=None
        )
    }
    rows = published.table1().query("row_student != ''")[["row_student", "row_teacher"]]
    order = dict.fromkeys([*rows.itertuples(index=False, name=None), *pairs])
    table = []
    for teacher in dict.fromkeys(teacher for _, teacher in order):
        table.append(_cell("base", teacher, ALONE, printed, cells, measured))
        for student in (student for student, taught_by in order if taught_by == teacher):
            for strategy in _COLUMNS:
                table.append(_cell(strategy, teacher, student, printed, cells, measured))
    return pd.DataFrame(table)


def _cell(
    strategy: str,
    teacher: str,
    student: str,
    printed: Mapping[RunKey, float],
    cells: Cells,
    measured: Measurements,
) -> dict:
    alone = student == ALONE
    network, by = (teacher, None) if alone else roles(strategy, student, teacher)
    key = RunKey(strategy, network, by or "")
    names = {
        "teacher": title(teacher), "student": ALONE if alone else title(student),
        "strategy": strategy, "network": title(network), "taught by": title(by or ""),
    }  # fmt: skip
    return names | _numbers(printed.get(key, np.nan), cells.get(key), measured, key)


def _numbers(paper: float, cell: Cell | None, measured: Measurements, key: RunKey) -> dict:
    numbers: dict[str, object] = {
        "paper": paper, **dict.fromkeys(["measured", "low", "high", "difference"], np.nan),
        "deviation": np.nan, "runs": 0, "missing": NOT_PLANNED if cell is None else cell.note,
    }  # fmt: skip
    if key in measured:
        found = estimate(measured[key])
        numbers |= {"measured": found.value, "low": found.low, "high": found.high}
        numbers["difference"] = 100 * (found.value - paper)
        numbers["deviation"] = 100 * _deviation(measured[key])
        numbers["runs"] = len(measured[key])
    return numbers


def _deviation(measured: Mapping[int, Measured]) -> float:
    values = [each.value for each in measured.values()]
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def table1_layout(cells: pd.DataFrame) -> pd.DataFrame:
    """`table1` as the paper lays it out: a row for each pair, here of four lines; all text.

    A row without a measured cell has the two lines that say so.
    """
    table = []
    for (teacher, student), row in cells.groupby(["teacher", "student"], sort=False):
        texts = {cell["strategy"]: _lines(cell) for cell in row.to_dict("records")}
        lines = LINES if row["runs"].any() else LINES[:2]
        table += [
            {"teacher": teacher, "student": student, "value": line}
            | {
                strategy: texts[strategy][line] if strategy in texts else ""
                for strategy in _COLUMNS
            }
            for line in lines
        ]
    return pd.DataFrame(table)


def _lines(cell: dict) -> dict[str, str]:
    if not cell["runs"]:
        measured = dict.fromkeys(LINES, "") | {"measured": cell["missing"]}
    else:
        defined = cell["low"] == cell["low"]
        interval = f"{cell['low']:.3f} to {cell['high']:.3f}" if defined else "undefined"
        texts = f"{cell['measured']:.3f}", interval, _text(cell["difference"], "+.1f")
        measured = dict(zip(LINES[1:], texts, strict=True))
    return measured | {"paper": _text(cell["paper"], ".4f")}


def _text(value: float, form: str) -> str:
    return format(value, form) if value == value else ""


def missing(cells: pd.DataFrame) -> list[str]:
    """What `table1` lacks: a Markdown item for each reason, with the runs that it concerns."""
    lacking = cells[cells["missing"] != ""]
    items = []
    for reason, rows in lacking.groupby("missing", sort=True):
        names = dict.fromkeys(map(_run_name, rows.to_dict("records")))
        items.append(f"- **{reason}** ({len(names)}): {', '.join(names)}")
    return items


def _run_name(cell: dict) -> str:
    by = cell["taught by"] if cell["strategy"] != "self-training" else ""
    return f"{cell['strategy']} {cell['network']}" + (f" from {by}" if by else "")


def noise(measured: Measurements) -> pd.DataFrame:
    """Networks that taught themselves under two or three names: one procedure, other seeds.

    The paper's row for DenseNet-121, then one row for each network and seed of a study:
    ``source``, ``network``, the AUC under each name of `ONE_PROCEDURE`, ``range`` and
    ``deviation`` of the row in points (AUC x 100).
    """
    runs = published.table1_runs().query("teacher == network and strategy in @ONE_PROCEDURE")
    rows = []
    for network in runs["network"].unique():
        own = runs[runs["network"] == network]
        if len(own) > 1:
            rows.append(("paper", network, dict(zip(own["strategy"], own["auc"], strict=True))))
    for network in dict.fromkeys(key.network for key in measured if key.network == key.teacher):
        keys = {name: RunKey(name, network, network) for name in ONE_PROCEDURE}
        found = {name: measured[key] for name, key in keys.items() if key in measured}
        for seed in dict.fromkeys(seed for each in found.values() for seed in each):
            aucs = {name: each[seed].value for name, each in found.items() if seed in each}
            if len(aucs) > 1:
                rows.append((f"measured, teacher of seed {seed}", network, aucs))
    return pd.DataFrame([_noise_row(*row) for row in rows])


def _noise_row(source: str, network: str, aucs: dict[str, float]) -> dict:
    values = np.array(list(aucs.values()))
    row: dict[str, object] = {"source": source, "network": title(network)}
    row |= {name: aucs.get(name, np.nan) for name in ONE_PROCEDURE}
    return row | {"range": 100 * np.ptp(values), "deviation": 100 * values.std(ddof=1)}


def pooled_deviation(noise: pd.DataFrame) -> tuple[float, int]:
    """Standard deviation between runs of one procedure in points, over the measured rows of
    `noise`, and its degrees of freedom; NaN and 0 without rows.
    """
    rows = noise[noise["source"] != "paper"]
    freedom = rows[list(ONE_PROCEDURE)].notna().sum(axis=1) - 1
    total = int(freedom.sum())
    if not total:
        return np.nan, 0
    return float(np.sqrt((freedom * rows["deviation"] ** 2).sum() / total)), total
