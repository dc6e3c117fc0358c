"""Do networks rank on the phantom as they should: linear model, MobileNet-v1, DenseNet-121?

    python benchmarks/learnability.py --size 64 --images 6000
    python benchmarks/learnability.py --size 128 --images 4000 --longer 20

Draws the phantom of preset `quick` at this size with more images, trains both networks alone by the
library's own `train`, fits a logistic regression on pooled pixels, and prints the test AUC of each
finding and the differences, paired over the same patients. Writes the table, with where it comes
from, to `benchmarks/results/learnability-SIZE.csv`, which the book's page on the phantom shows.
Runs are stored and resumed like those of any study. On two cores the first command takes about
twenty minutes, the second forty.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chestkd import workspace
from chestkd.evaluation import auc
from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS
from chestkd.networks.architectures import NETWORKS
from chestkd.study import presets
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import Preset
from chestkd.study.study import PHANTOM, Study

SMALL = "mobilenet-v1"
CHOICES = (SMALL, "densenet-121")
LINEAR = "linear, on 16 x 16 pooled pixels"
RESULTS = Path("benchmarks", "results")
_POOLED = 16
# Inverse strengths of the linear model's penalty; the best by validation AUC is taken.
_STRENGTHS = (0.0003, 0.003, 0.03)


def pooled(images: np.ndarray) -> np.ndarray:
    """Means over a 16 x 16 grid of images (N, H, W) whose side is a multiple: (N, 256)."""
    count, side = images.shape[:2]
    block = side // _POOLED
    blocks = images.reshape(count, _POOLED, block, _POOLED, block)
    return blocks.mean(axis=(2, 4), dtype=np.float64).reshape(count, -1)


def linear_scores(study: Study) -> np.ndarray:
    """Test scores (N, 14) of one logistic regression a finding, its penalty by validation."""
    images, labels, split = study.prepared.images, study.prepared.dataset.labels, study.split
    features = {part: pooled(images[getattr(split, part)]) for part in ("train", "validation")}
    features["test"] = pooled(images[split.test])

    def scores(strength: float, part: str) -> np.ndarray:
        columns = []
        for index in range(len(FINDINGS)):
            model = make_pipeline(
                StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
            ).fit(features["train"], labels[split.train, index])
            columns.append(model.decision_function(features[part]))
        return np.stack(columns, axis=1)

    areas = {
        strength: auc.mean_auc(labels[split.validation], scores(strength, "validation"))
        for strength in _STRENGTHS
    }
    return scores(max(areas, key=lambda strength: areas[strength]), "test")


def main() -> None:
    """Train what is missing, print the tables, write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="pixels (default 64)")
    parser.add_argument("--images", type=int, default=6000, help="default 6000")
    parser.add_argument("--epochs", type=int, default=10, help="default 10")
    parser.add_argument("--longer", type=int, help="MobileNet-v1 for so many epochs, too")
    arguments = parser.parse_args()
    study = Study(_preset(arguments), "quick", PHANTOM)

    runs = {}
    for network, epochs in (
        *((name, arguments.epochs) for name in CHOICES),
        (SMALL, arguments.longer),
    ):
        if epochs:
            specification = study.specification(PlannedRun("base", network, seed=0))
            title = f"{NETWORKS[network].title}, {epochs} epochs"
            runs[title] = study.make(specification.with_recipe(epochs=epochs))
    reference = next(iter(runs.values())).scores()
    labels, patients = reference["labels"], reference["patients"]
    scores = {LINEAR: linear_scores(study)} | {
        title: run.scores()["logits"] for title, run in runs.items()
    }
    measured = pd.concat(
        [
            auc.auc_table(labels, logits, patients).assign(model=title)
            for title, logits in scores.items()
        ]
    )
    # Each network against the model before it at as many epochs; the longer run: the linear one.
    linear, small, large, *longer = scores
    for above, below in ((small, linear), (large, small), *((each, linear) for each in longer)):
        found = auc.auc_difference(labels, scores[above], scores[below], patients)
        print(f"{above} minus {below}: {found:+.3f}")
        measured = pd.concat([measured, _difference(above, below, found)])
    print(measured.pivot_table("auc", "finding", "model", sort=False).round(3).to_string())
    _write(study, measured, arguments)


def _preset(arguments: argparse.Namespace) -> Preset:
    quick, size = presets.load("quick"), arguments.size
    return replace(
        quick,
        name=f"learnability-{size}",
        phantom=replace(quick.phantom, images=arguments.images, size=size),
        size=size,
        networks=CHOICES,
        recipe=replace(quick.recipe, epochs=arguments.epochs),
        image_wise=(),
        students=(),
        teachers=(),
        strategies=("base",),
    )


def _difference(above: str, below: str, found: Estimate) -> pd.DataFrame:
    row = {"model": f"{above} minus {below}", "finding": auc.MEAN, "auc": found.value}
    return pd.DataFrame([row | {"low": found.low, "high": found.high}])


def _write(study: Study, measured: pd.DataFrame, arguments: argparse.Namespace) -> None:
    size = study.preset.size
    parts = study.describe()
    path = workspace.resolve(RESULTS / f"learnability-{size}.csv")
    table = measured[["model", "finding", "auc", "low", "high", "positives"]]
    table = table.assign(
        images=arguments.images,
        train=parts["train"],
        test=parts["test"],
        commit=workspace.short_commit(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace.write_atomically(path, table.to_csv(index=False, float_format="%.4f"))
    print(path)


if __name__ == "__main__":
    main()
