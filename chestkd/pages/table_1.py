"""Table 1 of the paper with the measured AUCs beside the printed ones, and the noise of runs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.distillation.run_names import RunName
from chestkd.evaluation.intervals import Measured, mean_over_seeds
from chestkd.networks.architectures import NETWORKS
from chestkd.paper import published
from chestkd.study.table_cells import NOT_PLANNED, Cells, Measurements, left_out, runs_of

# The strategies whose runs of a network by itself are one procedure under three names.
ONE_PROCEDURE = ("self-training", "standard", "reversed")
# Table 1 has each teacher's own base training in its first column; here it has a row of its own.
ALONE = "(none)"
# The lines of a row of Table 1 in `table1_layout`.
LINES = ("paper", "measured", "95 % interval", "difference")
_COLUMNS = ("base", "self-training", "standard", "reversed", "defective")


def title(network: str | None) -> str:
    """A network as tables print it; "" for none."""
    return NETWORKS[network].title if network else ""


def table1(pairs: list[tuple[str, str]], cells: Cells, measured: Measurements) -> pd.DataFrame:
    """Table 1 cell by cell: the paper's rows, then those of the preset's other ``pairs``.

    ``teacher``, ``student``: the row, which is `ALONE` for a teacher's own base training;
    ``strategy``: the column; ``network``: the one that is trained and scored; ``taught by``: the
    one that teaches it; ``paper``;
    ``measured``, ``low``, ``high``: mean test AUC over the seeds and its 95 % interval;
    ``difference``: measured minus paper in points (AUC x 100), where the measured mean is over all
    14 findings, as the paper's is; ``deviation``: between seeds, in points; ``runs``;
    ``missing``: why there are no scores of some seeds, or of any.
    """
    rows = published.table1().query("row_student != ''")[["row_student", "row_teacher"]]
    order = dict.fromkeys([*rows.itertuples(index=False, name=None), *pairs])
    table: list[tuple[str, str, RunName]] = []
    for teacher in dict.fromkeys(teacher for _, teacher in order):
        table.append((title(teacher), ALONE, RunName("base", teacher)))
        for student in (student for student, taught_by in order if taught_by == teacher):
            runs = (RunName.of_pair(strategy, student, teacher) for strategy in _COLUMNS)
            table += [(title(teacher), title(student), run) for run in runs]
    printed = published.aucs()
    rows = pd.DataFrame(
        {"teacher": teacher, "student": student, "strategy": run.strategy}
        | {"network": title(run.network), "taught by": title(run.teacher)}
        | _numbers(run, printed.get(run, np.nan), cells, measured.get(run, {}))
        for teacher, student, run in table
    )
    return rows.assign(difference=np.nan) if left_out(runs_of(cells)) else rows


def comparability(cells: Cells) -> str:
    """A sentence on the findings that the measured means leave out; "" where they have all 14."""
    names = left_out(runs_of(cells))
    return names and (
        f"The measured means leave out {names}: all test images agree on it. The paper's are over "
        "all 14 findings, so no differences are given."
    )


def _numbers(run: RunName, paper: float, cells: Cells, measured: Mapping[int, Measured]) -> dict:
    numbers: dict[str, object] = {
        "paper": paper, **dict.fromkeys(["measured", "low", "high", "difference"], np.nan),
        "deviation": np.nan, "runs": len(measured),
        "missing": cells[run].note if run in cells else NOT_PLANNED,
    }  # fmt: skip
    if measured:
        mean = mean_over_seeds(list(measured.values())).estimate
        values = [number.value for number in measured.values()]
        numbers |= {"measured": mean.value, "low": mean.low, "high": mean.high}
        numbers["difference"] = 100 * (mean.value - paper)
        numbers["deviation"] = 100 * np.std(values, ddof=1) if len(values) > 1 else np.nan
    return numbers


def table1_layout(cells: pd.DataFrame) -> pd.DataFrame:
    """`table1` as the paper lays it out: a row for each pair, here of four lines; all text.

    A row in which nothing was measured has only the first two lines.
    """
    table = []
    for (teacher, student), row in cells.groupby(["teacher", "student"], sort=False):
        texts = {cell["strategy"]: _lines(cell) for cell in row.to_dict("records")}
        for line in LINES if row["runs"].any() else LINES[:2]:
            columns = {name: texts[name][line] if name in texts else "" for name in _COLUMNS}
            table.append({"teacher": teacher, "student": student, "value": line} | columns)
    return pd.DataFrame(table)


def _lines(cell: dict) -> dict[str, str]:
    paper = _text(cell["paper"], ".4f")
    if not cell["runs"]:
        return dict.fromkeys(LINES, "") | {"paper": paper, "measured": cell["missing"]}
    defined = cell["low"] == cell["low"]
    interval = f"{cell['low']:.3f} to {cell['high']:.3f}" if defined else "undefined"
    texts = paper, f"{cell['measured']:.3f}", interval, _text(cell["difference"], "+.1f")
    return dict(zip(LINES, texts, strict=True))


def _text(value: float, form: str) -> str:
    return format(value, form) if value == value else ""


def missing(cells: pd.DataFrame) -> list[str]:
    """What is missing from `table1`: a Markdown item for each reason, with its runs."""
    items = []
    for reason, rows in cells[cells["missing"] != ""].groupby("missing", sort=True):
        named = rows["taught by"].where(rows["strategy"] != "self-training", "")
        names = rows["strategy"] + " " + rows["network"] + (" from " + named).where(named != "", "")
        items.append(f"- **{reason}** ({names.nunique()}): {', '.join(names.unique())}")
    return items


def noise(measured: Measurements) -> pd.DataFrame:
    """Networks that taught themselves under two or three names: one procedure, other seeds.

    The paper's row for DenseNet-121, then one row for each seed and network of a study:
    ``source``, ``network``, the AUC under each name of `ONE_PROCEDURE`, ``range`` and
    ``deviation`` of the row in points (AUC x 100).
    """
    sources: dict[str, Mapping[RunName, float]] = {"paper": published.aucs()}
    for seed in dict.fromkeys(seed for numbers in measured.values() for seed in numbers):
        sources[f"measured, teacher of seed {seed}"] = {
            run: numbers[seed].value for run, numbers in measured.items() if seed in numbers
        }
    rows = []
    for source, aucs in sources.items():
        for network in dict.fromkeys(run.network for run in aucs if run.network == run.teacher):
            names = {strategy: RunName(strategy, network, network) for strategy in ONE_PROCEDURE}
            own = {strategy: aucs[name] for strategy, name in names.items() if name in aucs}
            if len(own) > 1:
                rows.append(_noise_row(source, network, own))
    return pd.DataFrame(rows)


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
