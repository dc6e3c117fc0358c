"""The checks behind the page on trust: completeness, randomized weights, marked regions."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd
import tqdm

from chestkd import saliency
from chestkd.evaluation import localization
from chestkd.evaluation.localization import Region, evidence
from chestkd.evaluation.localization_tables import localization_difference
from chestkd.saliency import randomization
from chestkd.saliency.batching import DEFAULT_MEMORY
from chestkd.study.explained_network import Explained

CENTER, RANDOM = "center", "random"


def completeness(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    steps: Sequence[int],
    *,
    baseline: float = 0.0,
    memory: int = DEFAULT_MEMORY,
) -> pd.DataFrame:
    """How far integrated gradients are from adding up: columns steps, image, error.

    One row for each number of steps and image (N, H, W); `error` as in `saliency.Integrated`.
    """
    rows = []
    for count in steps:
        found = saliency.integrated_gradients(
            model,
            finding,
            images,
            baseline=baseline,
            steps=count,
            tolerance=None,
            memory=memory,
        )
        rows += [(count, at, error) for at, error in enumerate(found.errors)]
    return pd.DataFrame(rows, columns=["steps", "image", "error"])


def randomized(
    model: keras.Model,
    finding: str,
    images: np.ndarray,
    methods: Sequence[str],
    settings: saliency.Settings,
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
        found = saliency.compute(name, network, finding, images, settings, memory=memory)
        return evidence(found, saliency.METHODS[name].evidence, blur=0)

    before = {name: maps(model, name) for name in methods}
    cascade = randomization.cascade(model, generator, stages)
    tables = []
    for layer, share, mixed in tqdm.tqdm(
        cascade, total=stages, desc="randomized", disable=not progress
    ):
        for name in methods:
            after = maps(mixed, name)
            tables.append(
                pd.DataFrame(
                    {
                        "method": name,
                        "share": share,
                        "layer": layer,
                        "image": np.arange(len(images)),
                        "rank correlation": randomization.rank_correlation(before[name], after),
                        "SSIM": randomization.structural_similarity(before[name], after),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def localized(
    explained: Explained,
    regions: list[Region],
    methods: Sequence[str],
    settings: saliency.Settings,
    *,
    generator: np.random.Generator,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> dict[str, pd.DataFrame]:
    """Title to scores (`localization.score_maps`): each method, then the two baselines."""
    if not regions:
        raise ValueError("no marked regions to point at")
    scores = {}
    findings = list(dict.fromkeys(region.finding for region in regions))
    for name in methods:
        method = saliency.METHODS[name]
        maps = np.empty((len(regions), explained.size, explained.size), np.float32)
        for finding in tqdm.tqdm(findings, desc=method.title, disable=not progress):
            of = [at for at, region in enumerate(regions) if region.finding == finding]
            images = explained.images[[regions[at].row for at in of]]
            maps[of] = saliency.compute(
                name, explained.model, finding, images, settings, memory=memory
            )
        scores[method.title] = localization.score_maps(maps, method.evidence, regions)
    scores[CENTER] = localization.score_center(regions)
    scores[RANDOM] = localization.score_random(regions, generator)
    return scores


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
            found = [
                localization_difference(frame, scores[baseline], measure, resamples=resamples)
                for baseline in (CENTER, RANDOM)
            ]
            texts = [f"{each:+.2f}" if each.low == each.low else "n/a" for each in found]
            better = "yes" if all(each.low > 0 for each in found) else "no"
            rows.append((title, measure, *texts, better))
    columns = ["map", "measure", f"over {CENTER}", f"over {RANDOM}", "better than both"]
    return pd.DataFrame(rows, columns=columns)
