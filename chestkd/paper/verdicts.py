"""From measured effects to verdicts on the paper's claims.

The rule. A claim says in which region an effect lies. It is supported if the effect's 95 %
interval lies wholly in the region, contradicted if it lies wholly outside, undecided otherwise.
Over several comparisons the mean effect and its interval decide; or, by the rule "every", a claim
is supported if every interval supports it and contradicted if any contradicts it. A claim of two
parts is supported if both are and contradicted if one is. Where runs are missing the verdict is
"not run", whatever the others say.

The intervals hold what their resamples vary. Over patients of the test set they say nothing of
another training with another seed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from chestkd.paper import published
from chestkd.paper.claims import CLAIMS, Claim, Part, Region, claim
from chestkd.paper.comparisons import Comparison, Key, RunKey

Verdict = Literal["supported", "contradicted", "undecided", "not run"]
# In the column `comparison` of a table of effects: the mean of a part's comparisons.
MEAN = "mean"
EFFECT_COLUMNS = ["claim", "part", "comparison", "effect", "low", "high"]


def verdict(low: float, high: float, region: Region) -> Verdict:
    """Verdict on one effect from its 95 % interval; ValueError unless low <= high."""
    if not low <= high:
        raise ValueError(f"an interval needs low <= high, received {low} to {high}")
    if low in region and high in region:
        return "supported"
    return "contradicted" if high <= region.lower or low > region.upper else "undecided"


@dataclass(frozen=True)
class Outcome:
    """What was measured about one part of a claim."""

    claim: Claim
    part: Part
    verdict: Verdict
    # The mean effect, or under the rule "every" the smallest one; NaN where nothing was run.
    effect: float
    low: float
    high: float
    # Comparisons that were run, and how many of them have their effect in the claim's region.
    cells: int
    cells_in_region: int
    missing: tuple[Comparison, ...]


def measured_effects(
    claims: Sequence[Claim], values: Mapping[Key, float], resamples: Mapping[Key, np.ndarray]
) -> pd.DataFrame:
    """Effects of every comparison whose two sides were measured, and the mean of each part.

    ``claims``: those that rest on one measure, which ``values`` holds, for example the mean AUC
    of each run. ``resamples``: the same under R resamples, (R,) each, NaN where undefined; row r
    must be the same resample for all keys. Returns `EFFECT_COLUMNS`; ``low`` and ``high`` are
    the 2.5 and 97.5 % percentiles. ValueError for claims of several measures or unequal R.
    """
    measures = sorted({subject.measure for subject in claims})
    if len(measures) > 1:
        raise ValueError(f"claims must rest on one measure, received {measures}")
    shapes = {key.label: resamples[key].shape if key in resamples else () for key in values}
    if len(set(shapes.values())) > 1 or () in shapes.values():
        raise ValueError(f"every value needs resamples of one shape (R,), received {shapes}")
    rows = [
        (subject.id, part.name, *row)
        for subject in claims
        for part in subject.parts
        for row in _part_effects(subject, part, values, resamples)
    ]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def _part_effects(
    subject: Claim, part: Part, values: Mapping[Key, float], resamples: Mapping[Key, np.ndarray]
) -> Iterator[tuple[str, float, float, float]]:
    pairs = [pair for pair in part.comparisons if {pair.one, pair.other} <= values.keys()]
    effects = [float(_effect(subject, pair, values)) for pair in pairs]
    samples = [_effect(subject, pair, resamples) for pair in pairs]
    for pair, effect, sample in zip(pairs, effects, samples, strict=True):
        yield pair.label, effect, *_limits(sample)
    if pairs:
        yield MEAN, float(np.mean(effects)), *_limits(np.mean(samples, axis=0))


def _limits(sample: np.ndarray) -> tuple[float, float]:
    low, high = np.nanpercentile(sample, [2.5, 97.5])
    return float(low), float(high)


def judge(subject: Claim, effects: pd.DataFrame, *, partial: bool = False) -> list[Outcome]:
    """One outcome for each part of a claim, from a table with `EFFECT_COLUMNS`.

    A part with a missing comparison is "not run" and lists it. With ``partial`` a part is judged
    by the comparisons that were run, so long as there is one, and still lists the missing ones;
    by the rule "every" it is then undecided at best. ValueError where the table holds an unknown
    comparison, one twice, or a value that is not finite, or where a mean decides and the table
    has none.
    """
    _check_effects(effects)
    return [_judge_part(subject, part, effects, partial) for part in subject.parts]


def overall(outcomes: Iterable[Outcome]) -> Verdict:
    """The verdict on a claim from the outcomes of its parts."""
    return _worst(outcome.verdict for outcome in outcomes)


def paper_effects(subject: Claim) -> pd.DataFrame:
    """The effects that Tables 1 and 2 give for a claim: ``part``, ``comparison``, ``effect``.

    No rows for C11 and C12, for which the paper prints no measurement.
    """
    column, table = "auc", published.table1_runs()
    if subject.effect == "ratio":
        column, table = "minutes", published.table2().dropna(subset="minutes")
    printed: dict[Key, float] = {
        RunKey(*key): value
        for *key, value in table[[*published.RUN_KEY, column]].itertuples(index=False, name=None)
    }
    rows = [
        (part.name, pair.label, _effect(subject, pair, printed))
        for part in subject.parts
        for pair in part.comparisons
        if {pair.one, pair.other} <= printed.keys()
    ]
    return pd.DataFrame(rows, columns=["part", "comparison", "effect"])


def ledger(effects: pd.DataFrame, *, partial: bool = False) -> pd.DataFrame:
    """One row for each part of C1 to C12: the paper's evidence, ours, and the verdict.

    ``claim``, ``statement``, ``part``, ``measure``, ``evidence``; ``paper_effect`` (mean, or
    smallest under the rule "every"), ``paper_cells`` such as "6 of 10" in the claim's region;
    ``effect``, ``low``, ``high``, ``cells`` of ours; ``compared``, such as "10 of 10", the
    comparisons that were run; ``verdict`` on the whole claim; ``missing``: the others.
    """
    rows = []
    for subject in CLAIMS:
        outcomes = judge(subject, effects, partial=partial)
        for outcome in outcomes:
            part = outcome.part
            paper = paper_effects(subject).query("part == @part.name")["effect"]
            rows.append(
                {
                    "claim": subject.id,
                    "statement": subject.statement,
                    "part": part.name,
                    "measure": subject.measure,
                    "evidence": subject.evidence,
                    "paper_effect": paper.min() if part.rule == "every" else paper.mean(),
                    "paper_cells": _count(sum(x in part.region for x in paper), len(paper)),
                    "effect": outcome.effect,
                    "low": outcome.low,
                    "high": outcome.high,
                    "cells": _count(outcome.cells_in_region, outcome.cells),
                    "compared": _count(outcome.cells, len(part.comparisons)),
                    "verdict": overall(outcomes),
                    "missing": "; ".join(pair.label for pair in outcome.missing),
                }
            )
    return pd.DataFrame(rows)


def _judge_part(subject: Claim, part: Part, effects: pd.DataFrame, partial: bool) -> Outcome:
    table = effects[(effects["claim"] == subject.id) & (effects["part"] == part.name)]
    cells = table[table["comparison"] != MEAN].set_index("comparison")
    missing = tuple(pair for pair in part.comparisons if pair.label not in cells.index)
    in_region = sum(effect in part.region for effect in cells["effect"])
    counts = len(cells), in_region, missing
    if not len(cells) or (missing and not partial):
        return Outcome(subject, part, "not run", np.nan, np.nan, np.nan, *counts)
    if part.rule == "every":
        decisive = cells.sort_values("effect").iloc[0]
        limits = zip(cells["low"], cells["high"], strict=True)
        result = _worst(verdict(low, high, part.region) for low, high in limits)
        result = _worst([result, "undecided"]) if missing else result
    else:
        decisive = _mean(subject, part, table)
        result = verdict(decisive["low"], decisive["high"], part.region)
    effect, low, high = (float(decisive[name]) for name in ("effect", "low", "high"))
    return Outcome(subject, part, result, effect, low, high, *counts)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("not run", "contradicted", "undecided", "supported")
    return min(verdicts, key=order.index)


def _mean(subject: Claim, part: Part, table: pd.DataFrame) -> pd.Series:
    """The row of the mean, which must be that of the comparisons beside it."""
    cells = table[table["comparison"] != MEAN]
    means = table[table["comparison"] == MEAN]
    if not len(means) and len(cells) == 1:
        return cells.iloc[0]
    where = f"claim {subject.id}, part {part.name!r}"
    if not len(means):
        raise ValueError(f"{where}: {len(cells)} comparisons need a row {MEAN!r} with its interval")
    expected = cells["effect"].mean()
    if not np.isclose(means["effect"].iloc[0], expected, rtol=0, atol=1e-9):
        raise ValueError(
            f"{where}: the row {MEAN!r} says {means['effect'].iloc[0]}, "
            f"its {len(cells)} comparisons have the mean {expected}"
        )
    return means.iloc[0]


def _check_effects(effects: pd.DataFrame) -> None:
    absent = [column for column in EFFECT_COLUMNS if column not in effects]
    if absent:
        raise ValueError(f"effects lack the columns {absent}; needed: {EFFECT_COLUMNS}")
    keys = effects[["claim", "part", "comparison"]]
    if keys.duplicated().any():
        raise ValueError(f"twice in the effects: {tuple(keys[keys.duplicated()].iloc[0])}")
    for name, part_name, label in keys.itertuples(index=False, name=None):
        known = {
            part.name: {MEAN, *(pair.label for pair in part.comparisons)}
            for part in claim(name).parts
        }
        if label not in known.get(part_name, set()):
            raise ValueError(f"claim {name}, part {part_name!r} has no comparison {label!r}")
    numbers = effects[["effect", "low", "high"]].to_numpy(float)
    if not np.isfinite(numbers).all():
        row = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0])
        raise ValueError(f"row {row} of the effects is not finite: {tuple(effects.iloc[row])}")


def _effect(subject: Claim, pair: Comparison, measured: Mapping[Key, Any]) -> Any:
    one, other = measured[pair.one], measured[pair.other]
    return one / other if subject.effect == "ratio" else one - other


def _count(inside: int, cells: int) -> str:
    return f"{inside} of {cells}" if cells else ""
