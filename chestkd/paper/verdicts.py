"""From measured effects to verdicts on the paper's claims.

The rule. A claim says which effects are to be expected. It is supported if the effect's 95 %
interval lies wholly in that range, contradicted if it lies wholly outside, undecided otherwise.
Over several comparisons the mean effect and its interval decide; or, by the rule "every", a claim
is supported if every interval supports it and contradicted if any contradicts it. A claim of two
parts is supported if both are and contradicted if one is. Where runs are missing the verdict is
"not run", whatever the others say.

An interval reflects only what its resamples vary. One over the patients of the test set says
nothing about training again from another seed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from chestkd.paper import published
from chestkd.paper.claims import CLAIMS, Claim, EffectRange, Part, claim
from chestkd.paper.comparisons import Comparison

Verdict = Literal["supported", "contradicted", "undecided", "not run"]
# In the column `comparison` of a table of effects: the mean of a part's comparisons.
MEAN = "mean"
EFFECT_COLUMNS = ["claim", "part", "comparison", "effect", "low", "high"]


def verdict(low: float, high: float, expected: EffectRange) -> Verdict:
    """Verdict on one effect from its 95 % interval; ValueError unless low <= high."""
    if not low <= high:
        raise ValueError(f"an interval needs low <= high, received {low} to {high}")
    if low in expected and high in expected:
        return "supported"
    return "contradicted" if high <= expected.lower or low > expected.upper else "undecided"


@dataclass(frozen=True)
class Outcome:
    """What was measured about one part of a claim."""

    claim: Claim
    part: Part
    verdict: Verdict
    #: The mean effect, or under the rule "every" the smallest one; NaN where nothing was run.
    effect: float
    low: float
    high: float
    #: Comparisons that were run, and how many of their effects are as expected.
    compared: int
    as_expected: int
    missing: tuple[Comparison, ...]


def judge(subject: Claim, effects: pd.DataFrame, *, partial: bool = False) -> list[Outcome]:
    """One outcome for each part of a claim, from a table with `EFFECT_COLUMNS`.

    A part with a missing comparison is "not run" and lists it. With ``partial`` a part is judged
    by the comparisons that were run, as long as there is one, and still lists the missing ones;
    by the rule "every" it is then undecided at best. ValueError where the table has an unknown
    comparison, the same one twice, or a value that is not finite, or where a mean decides and the
    table has none.
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
    printed = _printed(subject)
    rows = [
        (part.name, pair.label, subject.effect(printed[pair.one], printed[pair.other]))
        for part in subject.parts
        for pair in part.comparisons
        if {pair.one, pair.other} <= printed.keys()
    ]
    return pd.DataFrame(rows, columns=["part", "comparison", "effect"])


def _printed(subject: Claim) -> Mapping[Any, float]:
    return published.minutes() if subject.kind == "ratio" else published.aucs()


def ledger(effects: pd.DataFrame, *, partial: bool = False) -> pd.DataFrame:
    """One row for each part of C1 to C12: what the paper shows, what was measured, the verdict.

    ``claim``, ``statement``, ``part``, ``measure``, ``source``; ``paper_effect`` (mean, or
    smallest under the rule "every"), ``paper_as_expected`` such as "6 of 10"; ``effect``, ``low``,
    ``high``, ``as_expected``: the same as measured; ``compared``, such as "10 of 10": the
    comparisons that were run; ``verdict`` on the whole claim; ``missing``: the other comparisons.
    """
    rows = []
    for subject in CLAIMS:
        outcomes = judge(subject, effects, partial=partial)
        printed = paper_effects(subject)
        for outcome in outcomes:
            part = outcome.part
            paper = printed.loc[printed["part"] == part.name, "effect"]
            rows.append(
                {
                    "claim": subject.id,
                    "statement": subject.statement,
                    "part": part.name,
                    "measure": subject.measure,
                    "source": subject.source,
                    "paper_effect": paper.min() if part.rule == "every" else paper.mean(),
                    "paper_as_expected": _count(sum(x in part.expected for x in paper), len(paper)),
                    "effect": outcome.effect,
                    "low": outcome.low,
                    "high": outcome.high,
                    "as_expected": _count(outcome.as_expected, outcome.compared),
                    "compared": _count(outcome.compared, len(part.comparisons)),
                    "verdict": overall(outcomes),
                    "missing": "; ".join(pair.label for pair in outcome.missing),
                }
            )
    return pd.DataFrame(rows)


def _judge_part(subject: Claim, part: Part, effects: pd.DataFrame, partial: bool) -> Outcome:
    table = effects[(effects["claim"] == subject.id) & (effects["part"] == part.name)]
    compared = table[table["comparison"] != MEAN]
    labels = set(compared["comparison"])
    missing = tuple(pair for pair in part.comparisons if pair.label not in labels)
    as_expected = sum(effect in part.expected for effect in compared["effect"])
    counts = len(compared), as_expected, missing
    if not len(compared) or (missing and not partial):
        return Outcome(subject, part, "not run", np.nan, np.nan, np.nan, *counts)
    if part.rule == "every":
        decisive = compared.sort_values("effect").iloc[0]
        limits = zip(compared["low"], compared["high"], strict=True)
        result = _worst(verdict(low, high, part.expected) for low, high in limits)
        result = _worst([result, "undecided"]) if missing else result
    else:
        decisive = _mean(f"claim {subject.id}, part {part.name!r}", compared, table)
        result = verdict(decisive["low"], decisive["high"], part.expected)
    effect, low, high = (float(decisive[name]) for name in ("effect", "low", "high"))
    return Outcome(subject, part, result, effect, low, high, *counts)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    order: tuple[Verdict, ...] = ("not run", "contradicted", "undecided", "supported")
    return min(verdicts, key=order.index)


def _mean(where: str, compared: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """The row of the mean, which must be that of the rows ``compared``."""
    means = table[table["comparison"] == MEAN]
    if not len(means) and len(compared) == 1:
        return compared.iloc[0]
    count, expected = len(compared), compared["effect"].mean()
    if not len(means):
        raise ValueError(f"{where}: {count} comparisons need a row {MEAN!r} with its interval")
    received = means["effect"].iloc[0]
    if not np.isclose(received, expected, rtol=0, atol=1e-9):
        raise ValueError(
            f"{where}: the row {MEAN!r} says {received}, its {count} comparisons have the mean "
            f"{expected}"
        )
    return means.iloc[0]


def _check_effects(effects: pd.DataFrame) -> None:
    absent = [column for column in EFFECT_COLUMNS if column not in effects]
    if absent:
        raise ValueError(f"effects lack the columns {absent}; required: {EFFECT_COLUMNS}")
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


def _count(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else ""
