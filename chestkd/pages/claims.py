"""The claims ledger as readers see it: effects of a study, verdicts, and what each rests on."""

from typing import Any

import numpy as np
import pandas as pd

from chestkd.data.splits import IMAGE_WISE
from chestkd.distillation.run_names import RunName
from chestkd.evaluation.intervals import Estimate
from chestkd.pages import claim_11
from chestkd.pages.effects import measured_effects
from chestkd.paper import verdicts
from chestkd.paper.claims import CLAIMS, claim
from chestkd.paper.comparisons import Comparison
from chestkd.study.study import Study
from chestkd.study.table_cells import (
    NOT_PLANNED,
    Cell,
    Cells,
    Measurements,
    image_wise_cells,
    left_out,
    mean_aucs,
    runs_of,
)
from chestkd.study.training_times import training_times

_AUC_CLAIMS = CLAIMS[:9]
_RATIOS = "C10"


def study_effects(study: Study, planned: Cells, *, progress: bool = False) -> pd.DataFrame:
    """Every effect of C1 to C12 that a study has, with `verdicts.EFFECT_COLUMNS`.

    C10 rests on training times, C11 on what the page on trust stored (`claim_11`), C12 on base runs
    of the image-wise split; where these are missing, so are their rows. Raises ValueError where
    what is stored for C11 is of a run that is not the study's.
    """
    resamples = study.preset.resamples
    aucs = mean_aucs(planned, resamples, progress=progress)
    runs = {run.id for run in runs_of(planned)}
    tables = [
        auc_effects(study, planned, aucs, progress=progress),
        measured_effects([claim(_RATIOS)], training_times(planned, resamples)),
        claim_11.read(study.folder, runs),
    ]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def auc_effects(
    study: Study, planned: Cells, aucs: Measurements, *, progress: bool = False
) -> pd.DataFrame:
    """Effects of C1 to C9, and of C12 where the study has image-wise runs beside its own."""
    table = measured_effects(_AUC_CLAIMS, aucs)
    both = _both_splits(study, planned)
    if both:
        measured = mean_aucs(both, study.preset.resamples, progress=progress)
        table = pd.concat([table, measured_effects([claim("C12")], measured)], ignore_index=True)
    return table


def _both_splits(study: Study, planned: Cells) -> dict[RunName, Cell]:
    """What C12 compares: the image-wise base runs and the study's own; none without the former."""
    leaky = image_wise_cells(study)
    return leaky | {name: planned[name] for name in (RunName("base", n.network) for n in leaky)}


def image_wise_note(study: Study, planned: Cells) -> str:
    """A sentence on what C12 compares, and over which findings; "" without image-wise runs."""
    both = _both_splits(study, planned)
    if not both:
        return ""
    names = left_out(runs_of(both))
    return (
        f"C12 compares means over the findings that both test parts define; left out: "
        f"{names or 'none'}. The image-wise part: {study.tested_on(IMAGE_WISE)}."
    )


def ledger(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a part of a claim, in words: what the paper says and shows, ours, the verdict.

    ``claim`` with its part; ``verdict`` on the whole claim; ``the paper says``; ``measured``: the
    mean effect, or the smallest for C9, with its interval; ``the paper shows``: the same from its
    tables; ``holds in the paper``, ``holds here``: in how many comparisons; ``compared``.
    """
    rows = []
    for row in verdicts.ledger(effects, partial=True).to_dict("records"):
        scale, form = (1, ".2f") if row["claim"] == _RATIOS else (100, "+.2f")
        measured = scale * Estimate(row["effect"], row["low"], row["high"])
        printed = format(scale * row["paper_effect"], form)
        part = "" if row["part"] == "all" else f", {row['part']}"
        rows.append(
            {
                "claim": row["claim"] + part,
                "verdict": row["verdict"],
                "the paper says": row["statement"],
                "measured": format(measured, form) if measured.value == measured.value else "",
                "the paper shows": printed if row["paper_as_expected"] else "",
                "holds in the paper": row["paper_as_expected"],
                "holds here": row["as_expected"],
                "compared": row["compared"],
            }
        )
    return pd.DataFrame(rows)


def tally(ledger: pd.DataFrame) -> str:
    """A sentence in Markdown that counts the verdicts on the twelve claims."""
    verdict = ledger.groupby(ledger["claim"].str.split(",").str[0])["verdict"].first()
    counted = [
        f"**{(verdict == name).sum()} {name}**"
        for name in ("supported", "contradicted", "undecided", "not run")
    ]
    return f"Of {len(verdict)} claims: {', '.join(counted)}."


def comparisons(effects: pd.DataFrame, planned: Cells) -> pd.DataFrame:
    """One row a comparison: ``claim``, ``part``, ``comparison``, ``paper``, ``effect``, ``low``,
    ``high`` (points, or ratios for C10), and ``missing``: which runs are missing, and why.
    """
    measured = effects.set_index(["claim", "part", "comparison"]).to_dict("index")
    nothing = dict.fromkeys(["effect", "low", "high"], np.nan)
    rows = []
    for subject in CLAIMS:
        scale = 1 if subject.id == _RATIOS else 100
        paper = verdicts.paper_effects(subject).set_index(["part", "comparison"])["effect"]
        for part in subject.parts:
            reasons = {pair.label: _missing(pair, planned) for pair in part.comparisons}
            if (subject.id, part.name, verdicts.MEAN) in measured:
                reasons[verdicts.MEAN] = ""
            for label, reason in reasons.items():
                ours: Any = measured.get((subject.id, part.name, label))
                numbers = {"paper": paper.get((part.name, label), np.nan)} | (ours or nothing)
                row = {"claim": subject.id, "part": part.name, "comparison": label}
                row |= {name: scale * value for name, value in numbers.items()}
                rows.append(row | {"missing": "" if ours else reason})
    return pd.DataFrame(rows)


def _missing(pair: Comparison, planned: Cells) -> str:
    reasons = []
    for name in (pair.one, pair.other):
        if not isinstance(name, RunName) or name.split:
            reasons.append(f"{name.label} not run")
        elif name not in planned:
            reasons.append(f"{name.label} {NOT_PLANNED}")
        elif planned[name].note:
            reasons.append(f"{name.label}: {planned[name].note}")
    # Both are there, but share no seed, no hardware (C10), or no resample that defines them.
    return "; ".join(reasons) or "not comparable"
