"""Table 3 of the paper with the measured AUCs beside the printed ones."""

from collections.abc import Mapping

import pandas as pd

from chestkd.evaluation.auc import MEAN, auc_table
from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS
from chestkd.networks.architectures import NETWORKS
from chestkd.paper import published
from chestkd.study.study import Study
from chestkd.training.store import Run


def run_auc_table(run: Run, *, resamples: int, seed: int = 0) -> pd.DataFrame:
    """AUC per finding of a run's test scores with intervals over patients; see `auc_table`."""
    scores = run.scores()
    return auc_table(
        scores["labels"], scores["logits"], scores["patients"], resamples=resamples, seed=seed
    )


def measured_columns(study: Study) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The AUC table of every run on the study's own split by title, and what is missing, in words.

    Image-wise runs have other test images; claim C12 is about them.
    """
    measured, missing = {}, []
    for planned in study.planned():
        if planned.split:
            continue
        run = study.find(planned)
        title = f"{NETWORKS[planned.network].title}, {planned.strategy}"
        title += f", seed {planned.seed}" if len(study.preset.seeds) > 1 else ""
        if run is None:
            missing.append(f"{title}: not run")
        elif run.diverged:
            missing.append(f"{title}: diverged, no scores")
        else:
            measured[title] = run_auc_table(run, resamples=study.preset.resamples)
    return measured, missing


def auc_with_interval(table: pd.DataFrame) -> pd.Series:
    """Text such as "0.812 (0.790 to 0.833)" by finding from `auc_table`, or why there is none."""
    texts = [
        f"{Estimate(auc, low, high):.3f}" if auc == auc else note
        for auc, low, high, note in table[["auc", "low", "high", "note"]].to_numpy()
    ]
    return pd.Series(texts, index=table["finding"].to_numpy(), dtype=object)


def published_table3() -> pd.DataFrame:
    """The paper's Table 3, one row a finding, one column a publication titled as printed."""
    works = published.table3_works().set_index("work")
    columns = published.table3().pivot(index="finding", columns="work", values="auc")
    columns = columns.loc[list(FINDINGS), works.index]
    numbers = [f" [{number}]" if pd.notna(number) else "" for number in works["reference"]]
    columns.columns = pd.Index(works["printed_name"] + pd.Series(numbers, works.index))
    return columns


def table3(measured: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Table 3: one row a finding and their mean, the paper's columns, then the measured ones.

    The paper's means are computed here, not copied. ``measured`` maps a column's title to
    `auc_table`, all on the same test images, whose notes come last.
    """
    paper = published_table3()
    rows = pd.concat([paper, paper.mean().rename(MEAN).to_frame().T])
    for title, table in measured.items():
        rows[title] = auc_with_interval(table)
    for table in list(measured.values())[:1]:
        rows["note"] = table["note"].to_numpy()
    return rows.rename_axis("finding").reset_index()
