"""A planted shortcut: is a network that looks at a tube caught by its saliency maps?

On a phantom with the knob `shortcut`, a tube accompanies a finding in AP views without being part
of it. Two networks are trained on the same radiographs, one with the tubes, one without. What the
first relies on is known, so its maps can be right or wrong; those of the second are the baseline.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import pandas as pd
import tqdm
from IPython.display import HTML
from scipy.stats import mannwhitneyu

from chestkd.evaluation.intervals import Estimate
from chestkd.evaluation.localization import energy, evidence, pointing
from chestkd.evaluation.resamples import Resamples
from chestkd.findings import FINDINGS, finding_index
from chestkd.networks import build
from chestkd.pages.map_panels import Panel, integration, switcher
from chestkd.phantom.planted_tube import Radiographs
from chestkd.saliency.logit import DEFAULT_MEMORY
from chestkd.saliency.methods import METHODS, Settings, explain
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

    The other 13 logits keep their initial weights. Adam at .001, batches of 16, no flips, because
    the tube is always on the same side.
    """
    model = build.build_network(network, images.shape[1], seed=seed)
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
    without it, where .5 means that the network does not see the tube. Columns ``network``,
    ``question``, ``auc``, ``low``, ``high``. `test` is drawn with `both`.
    """
    absent = ~test.present
    rows = []
    for title, model in models.items():
        plain, tubed = (logits(model, images, finding) for images in (test.plain, test.tubed))
        planted = np.where(test.planted, tubed, plain)
        twice = np.repeat([False, True], absent.sum())
        either = np.concatenate([plain[absent], tubed[absent]])
        for question, present, scores, patients in (
            ("finding, tubes as planted", test.present, planted, test.patients),
            ("finding, no tubes", test.present, plain, test.patients),
            ("tube, finding absent", twice, either, np.tile(test.patients[absent], 2)),
        ):
            # The exact statistic, which that of the resamples is with equal weights.
            pairs = present.sum() * (~present).sum()
            value = mannwhitneyu(scores[present], scores[~present]).statistic / pairs
            drawn = Resamples.draw(patients, resamples)
            areas = drawn.auc_scores(present.astype(np.uint8)[:, None], scores[:, None])
            low, high = np.nanpercentile(areas, [2.5, 97.5])
            rows.append((title, question, float(value), float(low), float(high)))
    return pd.DataFrame(rows, columns=["network", "question", "auc", "low", "high"])


def tube_evidence(
    models: Mapping[str, keras.Model],
    images: np.ndarray,
    masks: np.ndarray,
    patients: np.ndarray,
    finding: str,
    methods: Sequence[str],
    settings: Settings,
    *,
    memory: int = DEFAULT_MEMORY,
    progress: bool = False,
) -> pd.DataFrame:
    """How much of the evidence lies on the tube: one row a network, method and image.

    Columns ``network``, ``method`` (its title), ``image``, ``patient``, ``share`` (of the
    evidence), ``hit`` (its maximum lies there), ``area`` (the tube's share of the image), ``error``
    and ``steps`` (as `methods.explain` returns them), from images (N, H, W) and masks (N, H, W).
    The maps are not blurred: the tube is a few pixels wide.
    """
    tables = []
    pairs = [(title, name) for title in models for name in methods]
    for title, name in tqdm.tqdm(pairs, desc="maps", disable=not progress):
        method = METHODS[name]
        maps, errors, steps = explain(name, models[title], finding, images, settings, memory=memory)
        strength = evidence(maps, method.evidence, blur=0)
        columns = {
            "network": title,
            "method": method.title,
            "image": np.arange(len(images)),
            "patient": patients,
            "share": [energy(*pair) for pair in zip(strength, masks, strict=True)],
            "hit": [pointing(*pair) for pair in zip(strength, masks, strict=True)],
            "area": masks.mean(axis=(1, 2)),
            "error": errors,
            "steps": steps,
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def summary(
    table: pd.DataFrame, fooled: str, baseline: str, *, resamples: int = 1000
) -> pd.DataFrame:
    """One row a method: what lies on the tube in the maps of two networks, as texts.

    From `tube_evidence`. ``times the area`` is the mean share of the evidence over the mean share
    of the area, ``more evidence`` the difference of the shares; intervals are over patients.
    """
    rows = []
    for method, maps in table.groupby("method", sort=False):
        pair = [maps[maps["network"] == title].set_index("image") for title in (fooled, baseline)]
        weights = Resamples.draw(pair[0]["patient"].to_numpy(), resamples).weights
        area = pair[0]["area"].to_numpy()
        ones = np.ones_like(area)
        share, reference = (network["share"].to_numpy() for network in pair)
        times = [_ratio(values, area, weights) for values in (share, reference)]
        more = _ratio(share - reference, ones, weights)
        hits = [_ratio(network["hit"].to_numpy(), ones, weights) for network in pair]
        texts = [
            *(f"{ratio:.1f}" for ratio in times),
            f"{more:+.3f}",
            *(f"{hit:.2f}" for hit in hits),
        ]
        rows.append((method, *texts))
    columns = ["map", f"times the area, {fooled}", f"times the area, {baseline}", "more evidence"]
    return pd.DataFrame(rows, columns=[*columns, f"hits, {fooled}", f"hits, {baseline}"])


def _ratio(above: np.ndarray, below: np.ndarray, weights: np.ndarray) -> Estimate:
    """Sum over sum, with the interval from the weights (resamples, images)."""
    return Estimate.of(above.sum() / below.sum(), (weights @ above) / (weights @ below))


def gallery(
    models: Mapping[str, keras.Model],
    test: Radiographs,
    rows: Sequence[int],
    finding: str,
    method_name: str,
    settings: Settings,
    *,
    caption: str,
    **labels: str,
) -> HTML:
    """A row for each radiograph: itself, and one map a network.

    `labels` are the name and source of the `switcher`.
    """
    shown = [panels(models, test, int(row), finding, method_name, settings) for row in rows]
    caption = " ".join(filter(None, [caption, integration(shown, settings)]))
    return switcher(shown, caption=caption, **labels)


def panels(
    models: Mapping[str, keras.Model],
    test: Radiographs,
    row: int,
    finding: str,
    method_name: str,
    settings: Settings,
) -> list[Panel]:
    """One radiograph with its tube outlined, and a map of it for each network."""
    image, mask = test.tubed[row], test.masks[row]
    method = METHODS[method_name]
    pictures = [Panel(f"patient {test.patients[row]}\nradiograph", "", image, mask=mask)]
    for title, model in models.items():
        maps, (error,), (steps,) = explain(method_name, model, finding, image[None], settings)
        strength = evidence(maps, method.evidence, blur=0)[0]
        with_tube, without = (
            1 / (1 + np.exp(-float(logits(model, pixels[row : row + 1], finding)[0])))
            for pixels in (test.tubed, test.plain)
        )
        note = (
            f"predicted {with_tube:.2f}, without the tube {without:.2f}\n"
            f"{energy(strength, mask):.1%} of the evidence on {mask.mean():.1%} of the area"
        )
        heading = f"{method.title}\ntrained {title}"
        pictures.append(Panel(heading, note, image, strength, mask=mask, error=error, steps=steps))
    return pictures


def logits(model: keras.Model, images: np.ndarray, finding: str) -> np.ndarray:
    """The finding's logits (N,) of images (N, H, W)."""
    return predict_logits(model, images, np.arange(len(images)))[:, finding_index(finding)]
