"""The claims ledger as readers see it: effects of a study, verdicts, and what each rests on."""

from functools import partial

import numpy as np
import pandas as pd

from chestkd.pages import claim_11
from chestkd.paper import verdicts
from chestkd.paper.claims import CLAIMS, claim
from chestkd.paper.comparisons import Key, RunKey
from chestkd.study.study import Study
from chestkd.study.table_cells import NOT_PLANNED, Cells, auc_effects, mean_aucs
from chestkd.study.table_cells import effects as effects_of
from chestkd.study.training_times import training_times

_RATIOS = "C10"


def effects(study: Study, planned: Cells, *, progress: bool = False) -> pd.DataFrame:
    """Every effect of C1 to C12 that a study has, with `verdicts.EFFECT_COLUMNS`.

    C10 rests on training times, C11 on what the page on trust stored (`localization_effects`),
    C12 on base runs of the image-wise split; where these are missing, so are their rows. Raises
    ValueError where what is stored for C11 is of a run that is not the study's.
    """
    resamples = study.preset.resamples
    aucs = mean_aucs(planned, resamples, progress=progress)
    tables = [
        auc_effects(study, planned, aucs, progress=progress),
        effects_of([claim(_RATIOS)], training_times(planned, resamples)),
        claim_11.read(
            study.folder, {run.id for cell in planned.values() for run in cell.runs.values()}
        ),
    ]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def ledger(effects: pd.DataFrame) -> pd.DataFrame:
    """One row a part of a claim, in words: what the paper says and shows, ours, the verdict.

    ``claim`` with its part; ``verdict`` on the whole claim; ``the paper says``; ``measured``: the
    mean effect, or the smallest for C9, with its interval; ``the paper shows``: the same from its
    tables; ``holds in the paper``, ``holds here``: in how many comparisons; ``compared``.
    """
    rows = []
    for row in verdicts.ledger(effects, partial=True).to_dict("records"):
        written = partial(_written, row["claim"])
        measured = ""
        if row["effect"] == row["effect"]:
            low, high = written(row["low"]), written(row["high"])
            measured = f"{written(row['effect'])} ({low} to {high})"
        part = "" if row["part"] == "all" else f", {row['part']}"
        rows.append(
            {
                "claim": row["claim"] + part,
                "verdict": row["verdict"],
                "the paper says": row["statement"],
                "measured": measured,
                "the paper shows": written(row["paper_effect"]) if row["paper_cells"] else "",
                "holds in the paper": row["paper_cells"],
                "holds here": row["cells"],
                "compared": row["compared"],
            }
        )
    return pd.DataFrame(rows)


def _written(claim_id: str, value: float) -> str:
    return f"{value:.2f}" if claim_id == _RATIOS else f"{100 * value:+.2f}"


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
    ``high`` (points, or ratios for C10), and ``missing``: which runs lack, and why.
    """
    columns = ["effect", "low", "high"]
    ours = {
        (name, part, label): dict(zip(columns, numbers, strict=True))
        for name, part, label, *numbers in effects.itertuples(index=False, name=None)
    }
    rows = []
    for subject in CLAIMS:
        paper = verdicts.paper_effects(subject).set_index(["part", "comparison"])["effect"]
        for part in subject.parts:
            pairs = {pair.label: (pair.one, pair.other) for pair in part.comparisons}
            for label in [*pairs, verdicts.MEAN]:
                found = ours.get((subject.id, part.name, label))
                if found is None and label == verdicts.MEAN:
                    continue
                numbers = {"paper": paper.get((part.name, label), np.nan)}
                numbers |= found or dict.fromkeys(columns, np.nan)
                if subject.id != _RATIOS:
                    numbers = {name: 100 * value for name, value in numbers.items()}
                row = {"claim": subject.id, "part": part.name, "comparison": label, **numbers}
                row["missing"] = "" if found else _missing(pairs[label], planned)
                rows.append(row)
    return pd.DataFrame(rows)


def _missing(keys: tuple[Key, Key], planned: Cells) -> str:
    reasons = []
    for key in keys:
        if not isinstance(key, RunKey) or key.split == "image-wise":
            reasons.append(f"{key.label} not run")
        elif key not in planned:
            reasons.append(f"{key.label} {NOT_PLANNED}")
        elif planned[key].note:
            reasons.append(f"{key.label}: {planned[key].note}")
    # Both are there, but share no seed, no hardware (C10), or no resample that defines them.
    return "; ".join(reasons) or "not comparable"
