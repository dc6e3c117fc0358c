"""What does an image-wise split add to the AUC? The same network, the same test images, twice.

    python benchmarks/leak.py --images 6000 --seeds 3

Takes the phantom of preset `quick`, splits it by patient, and keeps one half of the test patients'
images for evaluation. One network is trained on other patients only. For the other one, as many
training images are exchanged for the other half of the test patients' images, which is what a
split by image does: most images of its test part have siblings in the training part. Both are
evaluated on the very same images, so the difference is paired; its interval is over patients, the
mean over seeds taken within each resample. Writes `benchmarks/results/leak.csv`, which the
book's page on the phantom shows. Five minutes on two cores.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from chestkd import workspace
from chestkd.data.splits import Split
from chestkd.evaluation import auc, resamples
from chestkd.networks.architectures import NETWORKS
from chestkd.study import presets
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import PHANTOM, Study
from chestkd.training.loop import train
from chestkd.training.store import Store

RESULTS = Path("benchmarks", "results", "leak.csv")
PATIENT_WISE, IMAGE_WISE = "patient-wise", "image-wise"


def exchanged(given: Split, seed: int) -> tuple[Split, Split]:
    """A patient-wise split and its leaky twin, with equal counts and the same test images."""
    generator = np.random.default_rng(seed)
    kept = np.zeros(len(given.test), bool)
    kept[generator.permutation(len(kept))[: len(kept) // 2]] = True
    siblings = given.test[~kept]
    remaining = generator.permutation(given.train)[len(siblings) :]
    leaky_train = np.sort(np.concatenate([remaining, siblings]))
    clean = replace(given, test=given.test[kept], fingerprint=f"half of {given.fingerprint}")
    leaky = replace(clean, train=leaky_train, leaks=True, fingerprint=f"leaky {given.fingerprint}")
    return clean, leaky


def main() -> None:
    """Train two networks a seed and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="resnet-32", help="default resnet-32")
    parser.add_argument("--images", type=int, default=6000, help="default 6000")
    parser.add_argument("--seeds", type=int, default=3, help="of split and training (default 3)")
    arguments = parser.parse_args()
    quick = presets.load("quick")
    rows, differences = [], []
    for seed in range(arguments.seeds):
        preset = replace(
            quick,
            phantom=replace(quick.phantom, images=arguments.images),
            networks=(arguments.network,),
            students=(), teachers=(), strategies=("base",), split="random", split_seed=seed,
            image_wise=(),
        )  # fmt: skip
        study = Study(preset, "quick", PHANTOM)
        specification = study.specification(PlannedRun("base", arguments.network, seed=seed))
        scores = {}
        for name, split in zip(
            (PATIENT_WISE, IMAGE_WISE), exchanged(study.split, seed), strict=True
        ):
            # A store of its own: a run's id does not know of these splits.
            store = Store(workspace.build() / "leak" / name)
            scores[name] = train(specification, study.prepared, split, store).scores()
        labels, patients = scores[IMAGE_WISE]["labels"], scores[IMAGE_WISE]["patients"]
        logits = {name: found["logits"] for name, found in scores.items()}
        found = auc.auc_difference(labels, logits[IMAGE_WISE], logits[PATIENT_WISE], patients)
        areas = {name: auc.mean_auc(labels, each) for name, each in logits.items()}
        differences.append((labels, patients, logits))
        rows.append({"seed": seed, **areas, "difference": found.value, "low": found.low,
                     "high": found.high, "test images": len(labels)})  # fmt: skip
        print(rows[-1])
    rows.append({"seed": "all", **_together(differences)})
    print(rows[-1])
    table = pd.DataFrame(rows).assign(
        network=NETWORKS[arguments.network].title, images=arguments.images, size=quick.size,
        epochs=quick.recipe.epochs, commit=workspace.short_commit(),
    )  # fmt: skip
    path = workspace.resolve(RESULTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace.write_atomically(path, table.to_csv(index=False, float_format="%.4f"))
    print(path)


def _together(differences: list[tuple]) -> dict[str, float]:
    """The mean over seeds, patients of all seeds drawn together."""
    everyone = np.unique(np.concatenate([patients for _, patients, _ in differences]))
    counts = resamples.Resamples.draw(everyone, 1000).counts
    areas: dict[str, list[float]] = {PATIENT_WISE: [], IMAGE_WISE: []}
    samples = []
    for labels, patients, logits in differences:
        drawn = resamples.Resamples(counts, np.searchsorted(everyone, patients))
        resampled = {name: drawn.auc_scores(labels, each) for name, each in logits.items()}
        samples.append(np.nanmean(resampled[IMAGE_WISE] - resampled[PATIENT_WISE], axis=1))
        for name, each in logits.items():
            areas[name].append(auc.mean_auc(labels, each))
    low, high = np.percentile(np.mean(samples, axis=0), [2.5, 97.5])
    means = {name: float(np.mean(values)) for name, values in areas.items()}
    return {**means, "difference": means[IMAGE_WISE] - means[PATIENT_WISE], "low": low,
            "high": high, "test images": sum(len(each[0]) for each in differences)}  # fmt: skip


if __name__ == "__main__":
    main()
