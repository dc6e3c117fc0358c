"""What the saliency notebooks share: which network explains, and which images by which rule."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from chestkd import workspace
from chestkd.data.prepare import prepare
from chestkd.data.splits import Split, SplitError, require_same_split
from chestkd.findings import finding_index
from chestkd.networks.architectures import NETWORKS
from chestkd.study.study import Study
from chestkd.training.batches import predict_logits
from chestkd.training.run_network import trained_network
from chestkd.training.store import Run


@dataclass(frozen=True, eq=False)
class Explained:
    """A trained network and what it predicts for the test images."""

    run: Run
    model: keras.Model
    # As figures name it, such as "MobileNet-v1".
    title: str
    # A sentence where it is not the network that was asked for; else "".
    note: str
    # (T,) rows of the prepared test images, and (T, 14) probabilities and labels of them.
    rows: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    # The size of the images, in pixels, and (N, size, size) uint8, the prepared ones.
    size: int
    images: np.ndarray

    def probability(self, row: int, finding: str) -> float:
        """The predicted probability of a finding in a test image."""
        at = np.flatnonzero(self.rows == row)
        if not len(at):
            raise ValueError(f"row {row} is not a test image of run {self.run.id}")
        return float(self.probabilities[at[0], finding_index(finding)])


def explained_network(
    study: Study, network: str, again: Explained | None = None, *, size: int = 0
) -> Explained:
    """The base run of a network, of the first seed; else the study's best base run, and why.

    The best is the one with the highest validation AUC. Where it is the run of `again`, its model
    is used again. `size` is the side of the images that are explained, 0 for that of the training;
    at another size all images are prepared anew, once, and the predictions are of that size, too.
    Raises ValueError for an unknown network, or a size too small for it, and LookupError where
    the study has no base run that can be explained.
    """
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; allowed: {', '.join(NETWORKS)}")
    runs = base_runs(study)
    if not runs:
        raise LookupError(
            f"no finished base run in {study.store.folder} for preset {study.preset.name}; make "
            "one first, such as with `make book` or notebooks/base.py"
        )
    run, note = runs.get(network), ""
    if run is None:
        run = max(runs.values(), key=lambda each: each.record["validation_auc"])
        asked, taken = NETWORKS[network].title, NETWORKS[run.specification.network].title
        least = NETWORKS[network].minimum_size
        why = (
            f"needs images of at least {least} pixels and these have {study.preset.size}"
            if study.preset.size < least
            else "has no finished base run in this study"
        )
        note = (
            f"{asked} {why}. Shown instead is {taken}, of the study's base runs the one with the "
            "highest validation AUC."
        )
    if again is not None and again.run.id == run.id:
        return replace(again, note=note)
    found = _explained(study, run, note)
    return found if size in (0, found.size) else _at_size(study, found, size)


def base_runs(study: Study) -> dict[str, Run]:
    """Network to finished base run of the preset's first seed; diverged ones are left out."""
    found = {}
    for planned in study.planned():
        chosen = planned.strategy == "base" and planned.split is None
        if chosen and planned.seed == study.preset.seeds[0]:
            run = study.find(planned)
            if run is not None and not run.diverged:
                found[planned.network] = run
    return found


def require_official(run: Run, split: Split) -> None:
    """Raise SplitError unless a run was trained on the official split, and on this one.

    All boxes are in the official test list, 17,920 of whose images are training images of the
    community split: a network of another split may have been trained on the boxed images.
    """
    trained = run.specification.split
    if trained != "official":
        raise SplitError(
            f"run {run.id} was trained on the {trained} split: boxed images may be among its "
            "training images; localization needs the official split"
        )
    require_same_split(
        run.record["data"]["split_fingerprint"], split.fingerprint, f"the maps of {run.id}"
    )


def most_confident(explained: Explained, finding: str, *, present: bool = True) -> int | None:
    """The row of the test image with the highest probability of a finding that its label has.

    With `present=False`, of one that its label has not: the most confident false alarm. None
    where there is no such image.
    """
    return _extreme(explained, finding, present, highest=True)


def least_confident(explained: Explained, finding: str) -> int | None:
    """The row of the test image that has the finding and the lowest probability of it."""
    return _extreme(explained, finding, True, highest=False)


def row_of(study: Study, image: str) -> int:
    """The row of an image by its name, such as "00000001_000.png".

    Raises ValueError where it is not among the prepared images.
    """
    names = study.prepared.dataset.table["image"]
    found = np.flatnonzero(names == image)
    if not len(found):
        raise ValueError(f"no image {image!r} among the {len(names):,} of {study.data_name}")
    return int(found[0])


def _explained(study: Study, run: Run, note: str) -> Explained:
    scores = run.scores()
    rows = study.split.test
    table = study.prepared.dataset.table
    if not np.array_equal(table["image"].to_numpy(str)[rows], scores["images"].astype(str)):
        raise ValueError(f"the scores of run {run.id} are not of this study's test images")
    model = _model(run, study.prepared.size)
    images = study.prepared.images
    few = rows[:4]
    # The weights that were read must be those that were scored, up to a change of precision.
    difference = np.abs(predict_logits(model, images, few) - scores["logits"][: len(few)]).max()
    if not difference < 0.25:
        raise ValueError(f"run {run.id} gives other logits than it recorded, by {difference:.3g}")
    probabilities = 1 / (1 + np.exp(-scores["logits"].astype(np.float64)))
    title = NETWORKS[run.specification.network].title
    return Explained(
        run=run,
        model=model,
        title=title,
        note=note,
        rows=rows,
        probabilities=probabilities,
        labels=scores["labels"],
        size=study.prepared.size,
        images=images,
    )


def _at_size(study: Study, explained: Explained, size: int) -> Explained:
    """The same weights on larger or smaller images: the networks average over any feature map."""
    images = prepare(
        study.dataset,
        size,
        workspace.build() / "prepared",
        on_corrupt="skip" if study.allow_partial else "stop",
        progress=study.progress,
    ).images
    model = _model(explained.run, size)
    logits = predict_logits(model, images, explained.rows).astype(np.float64)
    note = (
        f"The images have {size} pixels, not the {explained.size} of the training: predictions "
        "are others, and worse where the network depends on the size of what it sees."
    )
    return replace(
        explained,
        model=model,
        note=" ".join(filter(None, [explained.note, note])),
        probabilities=1 / (1 + np.exp(-logits)),
        size=size,
        images=images,
    )


def _model(run: Run, size: int) -> keras.Model:
    # In float32, also after training in mixed precision: bfloat16 is too coarse for gradients.
    specification = replace(run.specification.with_recipe(precision="float32"), size=size)
    return trained_network(Run(run.folder, run.record | {"specification": specification.as_dict()}))


def _extreme(explained: Explained, finding: str, present: bool, *, highest: bool) -> int | None:
    index = finding_index(finding)
    among = np.flatnonzero(explained.labels[:, index] == int(present))
    if not len(among):
        return None
    probabilities = explained.probabilities[among, index]
    at = probabilities.argmax() if highest else probabilities.argmin()
    return int(explained.rows[among[at]])
