"""Which network the saliency pages explain, and the rules that choose their images."""

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
    #: The network's name in figures, such as "MobileNet-v1".
    title: str
    #: Says so where the network or the size is not what was asked for or trained on; else "".
    note: str
    #: (T,) rows of the prepared test images, and their probabilities and labels, (T, 14).
    rows: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    #: The side of the images in pixels, and all prepared images (N, size, size) uint8.
    size: int
    images: np.ndarray

    def probability(self, row: int, finding: str) -> float:
        """The predicted probability of a finding in a test image."""
        (positions,) = np.nonzero(self.rows == row)
        if not len(positions):
            raise ValueError(f"row {row} is not a test image of run {self.run.id}")
        return float(self.probabilities[positions[0], finding_index(finding)])


def explained_network(
    study: Study, network: str, again: Explained | None = None, *, size: int = 0
) -> Explained:
    """The base run of a network with the first seed; if there is none, the best one, and why.

    The best is the base run with the highest validation AUC. If the choice is the run of `again`,
    its model is reused. `size` is the side of the images to explain, 0 for the training size; at
    another size all images are prepared again, once, and predictions are made at that size, too.
    Raises ValueError for an unknown network or a size too small for it, and LookupError if the
    study has no base run to explain.
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
        run = max(runs.values(), key=lambda run: run.record["validation_auc"])
        asked, taken = NETWORKS[network].title, NETWORKS[run.specification.network].title
        least = NETWORKS[network].minimum_size
        why = (
            f"needs images of at least {least} pixels and these have {study.preset.size}"
            if study.preset.size < least
            else "has no finished base run in this study"
        )
        note = (
            f"{asked} {why}. Shown instead is {taken}, the base run of this study with the highest "
            "validation AUC."
        )
    if again is not None and again.run.id == run.id:
        return replace(again, note=note)
    explained = _explained(study, run, note)
    return explained if size in (0, explained.size) else _at_size(study, explained, size)


def base_runs(study: Study) -> dict[str, Run]:
    """The finished base run of each network with the preset's first seed, unless it diverged."""
    runs = {}
    for planned in study.planned():
        is_base = planned.strategy == "base" and planned.split is None
        if is_base and planned.seed == study.preset.seeds[0]:
            run = study.find(planned)
            if run is not None and not run.diverged:
                runs[planned.network] = run
    return runs


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
    """The row of the test image labeled with a finding that has the highest probability of it.

    With `present=False`, of those not labeled with it: the most confident false alarm. None if
    there is no such image.
    """
    return _extreme(explained, finding, present, highest=True)


def least_confident(explained: Explained, finding: str) -> int | None:
    """The row of the test image labeled with a finding that has the lowest probability of it."""
    return _extreme(explained, finding, True, highest=False)


def row_of(study: Study, image: str) -> int:
    """The row of an image by its name, such as "00000001_000.png".

    Raises ValueError where it is not among the prepared images.
    """
    names = study.prepared.dataset.table["image"]
    rows = np.flatnonzero(names == image)
    if not len(rows):
        raise ValueError(f"no image {image!r} among the {len(names):,} of {study.data_name}")
    return int(rows[0])


def _explained(study: Study, run: Run, note: str) -> Explained:
    scores = run.scores()
    rows = study.split.test
    table = study.prepared.dataset.table
    if not np.array_equal(table["image"].to_numpy(str)[rows], scores["images"].astype(str)):
        raise ValueError(f"the scores of run {run.id} are not of this study's test images")
    model = _model(run, study.prepared.size)
    images = study.prepared.images
    few = rows[:4]
    # The weights read must be those that were scored; a change of precision moves logits a little.
    difference = np.abs(predict_logits(model, images, few) - scores["logits"][: len(few)]).max()
    if not difference < 0.25:
        raise ValueError(f"logits of run {run.id} differ from its scores by {difference:.3g}")
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
    """The same weights at another size: the networks average over feature maps of any size."""
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
        "differ from those at the training size, and are worse where the network depends on scale."
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
    return trained_network(run, size=size, precision="float32")


def _extreme(explained: Explained, finding: str, present: bool, *, highest: bool) -> int | None:
    index = finding_index(finding)
    (candidates,) = np.nonzero(explained.labels[:, index] == int(present))
    if not len(candidates):
        return None
    probabilities = explained.probabilities[candidates, index]
    position = probabilities.argmax() if highest else probabilities.argmin()
    return int(explained.rows[candidates[position]])
