"""The checks behind the page on trust: completeness, randomized weights, marked regions."""

from collections.abc import Mapping, Sequence

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import tqdm
from matplotlib.figure import Figure

from chestkd.evaluation import localization
from chestkd.evaluation.auc import MEAN
from chestkd.evaluation.intervals import Estimate
from chestkd.evaluation.localization import MEASURES, OVERLAPS, Region, evidence
from chestkd.evaluation.localization_tables import localization_difference
from chestkd.saliency import randomization
from chestkd.saliency.logit import DEFAULT_MEMORY
from chestkd.saliency.methods import METHODS, Settings, compute, explain
from chestkd.study.explained_network import Explained

CENTER, RANDOM = "center", "random"
_COLORS = sns.color_palette("colorblind")
_MARKERS = "os^DvPX*<"


def completeness(maps: Mapping[str, pd.DataFrame], tolerance: float) -> pd.DataFrame:
    """How well maps of integrated gradients add up, one row a title.

    `maps` has the columns error and steps of `methods.explain`, a row for each map; titles whose
    maps are not integrated are left out. Columns maps of, number, gradients and error (medians),
    most gradients, largest error, and incomplete: how many errors are above `tolerance`.
    """
    rows = [
        (
            title,
            len(table),
            table["steps"].median(),
            table["steps"].max(),
            table["error"].median(),
            table["error"].max(),
            int((table["error"] > tolerance).sum()),
        )
        for title, table in maps.items()
        if "error" in table and table["error"].notna().any()
    ]
    columns = ["maps of", "number", "gradients", "most gradients", "error", "largest error"]
    return pd.DataFrame(rows, columns=[*columns, "incomplete"])


def randomized(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    methods: Sequence[str],
    settings: Settings,
    *,
    stages: int,
    generator: np.random.Generator,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> pd.DataFrame:
    """How alike maps are before and after layers are randomized from the top down.

    Columns method (its name), share (of the weighted layers that are random), layer (the lowest
    of them), image, rank correlation and SSIM, both of what the maps show: their evidence, not
    blurred. NaN where one of the two maps is constant.
    """

    def maps(network: keras.Model, name: str) -> np.ndarray:
        signed = compute(name, network, finding, images, settings, memory=memory)
        return evidence(signed, METHODS[name].evidence, blur=0)

    before = {name: maps(model, name) for name in methods}
    cascade = randomization.cascade(model, generator, stages)
    tables = []
    for layer, share, mixed in tqdm.tqdm(
        cascade, total=stages, desc="randomized", disable=not progress
    ):
        for name in methods:
            after = maps(mixed, name)
            columns = {
                "method": name,
                "share": share,
                "layer": layer,
                "image": np.arange(len(images)),
                "rank correlation": randomization.rank_correlation(before[name], after),
                "SSIM": randomization.structural_similarity(before[name], after),
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def draw_randomized(table: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Similarity to the trained network's maps by share of random layers, a line a method."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6), sharex=True)
    for axes, measure in zip(panels, ("rank correlation", "SSIM"), strict=True):
        for color, marker, (name, title) in zip(_COLORS, _MARKERS, titles.items(), strict=False):
            means = table[table["method"] == name].groupby("share")[measure].mean()
            shares, values = np.r_[0, means.index], np.r_[1, means]
            axes.plot(shares, values, color=color, marker=marker, ms=4, label=title)
        axes.axhline(0, color="gray", lw=0.8, ls=":")
        axes.set(xlabel="layers randomized, from the top", ylabel=measure)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    panels[1].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    sns.despine(figure)
    figure.tight_layout()
    return figure


def all_random(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Mean similarities of `randomized` where most layers are random; how many maps are constant.

    Columns map, rank correlation, SSIM, constant maps.
    """
    methods = table[table["share"] == table["share"].max()].groupby("method", sort=False)
    rows = methods[["rank correlation", "SSIM"]].mean()
    rows.insert(0, "map", rows.index.map(titles))
    rows["constant maps"] = methods["SSIM"].apply(lambda values: int(values.isna().sum()))
    return rows.reset_index(drop=True)


def localized(
    explained: Explained,
    regions: list[Region],
    methods: Sequence[str],
    settings: Settings,
    *,
    generator: np.random.Generator,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> dict[str, pd.DataFrame]:
    """Title to scores (`localization.score_maps`): each method, then the two baselines.

    Scores of methods have the columns error and steps of `methods.explain`, too.
    """
    if not regions:
        raise ValueError("no marked regions to point at")
    by_finding: dict[str, list[int]] = {}
    for index, region in enumerate(regions):
        by_finding.setdefault(region.finding, []).append(index)
    scores = {}
    for name in methods:
        method = METHODS[name]
        maps = np.empty((len(regions), explained.size, explained.size), np.float32)
        errors, steps = np.empty(len(regions)), np.empty(len(regions))
        for finding, chosen in tqdm.tqdm(
            by_finding.items(), desc=method.title, disable=not progress
        ):
            images = explained.images[[regions[index].row for index in chosen]]
            maps[chosen], errors[chosen], steps[chosen] = explain(
                name, explained.model, finding, images, settings, memory=memory
            )
        frame = localization.score_maps(maps, method.evidence, regions)
        scores[method.title] = frame.assign(error=errors, steps=steps)
    scores[CENTER] = localization.score_center(regions)
    scores[RANDOM] = localization.score_random(regions, generator)
    return scores


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Every measure's mean over the findings, one row a map, from `localization_table`."""
    rows = table[table["finding"] == MEAN].pivot(index="map", columns="measure", values="value")
    rows = rows.loc[table["map"].unique(), list(MEASURES)]
    return rows.rename_axis(columns=None).reset_index()


def draw_localization(table: pd.DataFrame, measures: tuple[str, ...]) -> Figure:
    """One panel a measure: the mean of each map over the findings, with its interval."""
    figure, panels = plt.subplots(
        1, len(measures), figsize=(2.6 * len(measures) + 1.6, 3.2), sharey=True, squeeze=False
    )
    for axes, measure in zip(panels[0], measures, strict=True):
        rows = table[(table["measure"] == measure) & (table["finding"] == MEAN)]
        places = np.arange(len(rows))
        errors = np.abs(rows[["low", "high"]].to_numpy().T - rows["value"].to_numpy())
        axes.errorbar(rows["value"], places, xerr=np.nan_to_num(errors), fmt="o", ms=4, lw=1.2)
        axes.set_yticks(places, rows["map"])
        axes.set(xlabel=measure, xlim=(0, None))
    panels[0][0].invert_yaxis()
    sns.despine(figure)
    figure.tight_layout()
    return figure


def against_baselines(
    scores: Mapping[str, pd.DataFrame], measures: Sequence[str], *, resamples: int = 1000
) -> pd.DataFrame:
    """Each map's mean over findings, minus those of the center and of noise, with intervals.

    Columns map, measure, "over center" and "over random" (texts), and "better than both", "yes"
    where both intervals lie above 0; "n/a" where no finding has enough patients for an interval.
    `scores` as `localized` returns them.
    """
    rows = []
    for title, frame in scores.items():
        if title in (CENTER, RANDOM):
            continue
        for measure in measures:
            differences = [
                localization_difference(frame, scores[baseline], measure, resamples=resamples)
                for baseline in (CENTER, RANDOM)
            ]
            better = "yes" if all(difference.low > 0 for difference in differences) else "no"
            rows.append((title, measure, *map(_text, differences), better))
    columns = ["map", "measure", f"over {CENTER}", f"over {RANDOM}", "better than both"]
    return pd.DataFrame(rows, columns=columns)


def _text(difference: Estimate) -> str:
    return f"{difference:+.2f}" if difference.low == difference.low else "n/a"


def one_against_another(
    scores: Mapping[str, pd.DataFrame], one: str, other: str, *, resamples: int = 1000
) -> pd.DataFrame:
    """Differences of two maps, `one` minus `other`, by title: pointing, energy and overlaps.

    Columns measure, difference, low, high, verdict: which is better, or "undecided".
    """
    rows = []
    for measure in ("pointing", "energy", *OVERLAPS):
        difference = localization_difference(
            scores[one], scores[other], measure, resamples=resamples
        )
        verdict = "undecided"
        if difference.low > 0 or difference.high < 0:
            verdict = f"{one if difference.value > 0 else other} better"
        rows.append((measure, difference.value, difference.low, difference.high, verdict))
    return pd.DataFrame(rows, columns=["measure", "difference", "low", "high", "verdict"])
