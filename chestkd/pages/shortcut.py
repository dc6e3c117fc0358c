"""A planted shortcut: is a network that looks at a tube caught by its saliency maps?

On a phantom with the knob `shortcut`, a tube goes with a finding in AP views. It is no part of the
finding. Two networks are trained on the same radiographs, one with the tubes, one without. What the
first relies on is known, so its maps can be right or wrong; those of the second are the baseline.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd
import tqdm

from chestkd import saliency
from chestkd.evaluation.auc import Resamples
from chestkd.evaluation.intervals import Estimate
from chestkd.evaluation.localization import energy, evidence, pointing
from chestkd.findings import FINDINGS, finding_index
from chestkd.networks import build
from chestkd.pages.map_panels import Panel
from chestkd.phantom.planted_tube import Radiographs
from chestkd.saliency.batching import DEFAULT_MEMORY
from chestkd.training.batches import EpochBatches, predict_logits

_RATE, _BATCH = 1e-3, 16


def train(
    images: np.ndarray,
    present: np.ndarray,
    finding: str,
    *,
    network: str,
    epochs: int,
    seed: int,
    progress: bool = False,
) -> keras.Model:
    """A network trained for one finding alone: images (N, H, W) uint8, `present` (N,) bool.

    The other 13 logits stay as they were drawn. Adam at .001, batches of 16, no flips, because
    the tube is on one side.
    """
    model = build.build(network, images.shape[1], seed=seed)
    index = finding_index(finding)

    def loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        return keras.losses.binary_crossentropy(
            labels[:, index, None], logits[:, index, None], from_logits=True
        )

    model.compile(keras.optimizers.Adam(_RATE), loss)
    labels = np.repeat(present[:, None], len(FINDINGS), axis=1)
    for epoch in tqdm.trange(epochs, desc="training", unit="epoch", disable=not progress):
        batches = EpochBatches(
            images,
            np.arange(len(images)),
            labels,
            None,
            batch_size=_BATCH,
            flip=False,
            seed=seed,
            epoch=epoch,
        )
        model.fit(batches, shuffle=False, verbose=0)
    return model


def reliance(
    models: Mapping[str, keras.Model], test: Radiographs, finding: str, *, resamples: int = 1000
) -> pd.DataFrame:
    """What networks rely on, as areas under the ROC curve with 95 % intervals over patients.

    One row a network and question: AUC of the finding with the tubes as planted; of the finding
    without any tube; and of the tube itself among images without the finding, each shown with and
    without it, where .5 is a network that does not see the tube. Columns ``network``,
    ``question``, ``auc``, ``low``, ``high``. `test` is drawn with `both`.
    """
    absent = ~test.present
    rows = []
    for title, model in models.items():
        plain, tubed = (logits(model, images, finding) for images in (test.plain, test.tubed))
        planted = np.where(test.planted, tubed, plain)
        twice = np.repeat([0, 1], absent.sum())
        either = np.concatenate([plain[absent], tubed[absent]])
        for question, truth, scores, patients in (
            ("finding, tubes as planted", test.present, planted, test.patients),
            ("finding, no tubes", test.present, plain, test.patients),
            ("tube, finding absent", twice, either, np.tile(test.patients[absent], 2)),
        ):
            drawn = Resamples.draw(patients, resamples)
            columns = truth.astype(np.uint8)[:, None], scores[:, None]
            everything = Resamples(np.ones((1, drawn.counts.shape[1]), np.int16), drawn.patient)
            value = float(everything.auc_scores(*columns)[0, 0])
            low, high = np.nanpercentile(drawn.auc_scores(*columns), [2.5, 97.5])
            rows.append((title, question, value, float(low), float(high)))
    return pd.DataFrame(rows, columns=["network", "question", "auc", "low", "high"])


def tube_evidence(
    models: Mapping[str, keras.Model],
    images: np.ndarray,
    masks: np.ndarray,
    patients: np.ndarray,
    finding: str,
    methods: Sequence[str],
    settings: saliency.Settings,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> pd.DataFrame:
    """How much of the evidence lies on the tube: one row a network, method and image.

    Columns ``network``, ``method`` (its title), ``image``, ``patient``, ``share`` (of the
    evidence), ``hit`` (its maximum lies there), ``area`` (the tube's share of the image), from
    images (N, H, W) and masks (N, H, W). The maps are not blurred: the tube is a few pixels wide.
    """
    tables = []
    pairs = [(title, name) for title in models for name in methods]
    for title, name in tqdm.tqdm(pairs, desc="maps", disable=not progress):
        method = saliency.METHODS[name]
        maps = saliency.compute(name, models[title], finding, images, settings, memory=memory)
        strength = evidence(maps, method.evidence, blur=0)
        columns = {
            "network": title,
            "method": method.title,
            "image": np.arange(len(images)),
            "patient": patients,
            "share": [energy(*pair) for pair in zip(strength, masks, strict=True)],
            "hit": [pointing(*pair) for pair in zip(strength, masks, strict=True)],
            "area": masks.mean(axis=(1, 2)),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def summary(
    found: pd.DataFrame, fooled: str, baseline: str, *, resamples: int = 1000
) -> pd.DataFrame:
    """One row a method: what lies on the tube in the maps of two networks, as texts.

    From `tube_evidence`. ``times the area`` is the mean share of the evidence over the mean share
    of the area, ``more than`` the difference of the shares; intervals are over patients.
    """
    rows = []
    for method, of in found.groupby("method", sort=False):
        one, other = (of[of["network"] == title].set_index("image") for title in (fooled, baseline))
        weights = Resamples.draw(one["patient"].to_numpy(), resamples).weights
        area = one["area"].to_numpy()
        times = [_ratio(each["share"].to_numpy(), area, weights) for each in (one, other)]
        ones = np.ones_like(area)
        more = _ratio((one["share"] - other["share"]).to_numpy(), ones, weights)
        hits = [_ratio(each["hit"].to_numpy(), ones, weights) for each in (one, other)]
        texts = [
            *(f"{each:.1f}" for each in times),
            f"{more:+.3f}",
            *(f"{each:.2f}" for each in hits),
        ]
        rows.append((method, *texts))
    columns = ["map", f"times the area, {fooled}", f"times the area, {baseline}", "more evidence"]
    return pd.DataFrame(rows, columns=[*columns, f"hits, {fooled}", f"hits, {baseline}"])


def panels(
    models: Mapping[str, keras.Model],
    test: Radiographs,
    at: int,
    finding: str,
    name: str,
    settings: saliency.Settings,
) -> list[Panel]:
    """The radiograph `at` with its tube outlined, and one map a network by the method `name`."""
    image, mask = test.tubed[at], test.masks[at]
    method = saliency.METHODS[name]
    row = [Panel(f"patient {test.patients[at]}\nradiograph", "", image, mask=mask)]
    for title, model in models.items():
        maps = saliency.compute(name, model, finding, image[None], settings)
        strength = evidence(maps, method.evidence, blur=0)[0]
        with_tube, without = (
            1 / (1 + np.exp(-float(logits(model, pixels[at : at + 1], finding)[0])))
            for pixels in (test.tubed, test.plain)
        )
        note = (
            f"predicted {with_tube:.2f}, without the tube {without:.2f}\n"
            f"{energy(strength, mask):.1%} of the evidence on {mask.mean():.1%} of the area"
        )
        row.append(Panel(f"{method.title}\ntrained {title}", note, image, strength, mask=mask))
    return row


def logits(model: keras.Model, images: np.ndarray, finding: str) -> np.ndarray:
    """The finding's logits (N,) of images (N, H, W)."""
    return predict_logits(model, images, np.arange(len(images)))[:, finding_index(finding)]


def _ratio(above: np.ndarray, below: np.ndarray, weights: np.ndarray) -> Estimate:
    return Estimate.of(above.sum() / below.sum(), (weights @ above) / (weights @ below))
