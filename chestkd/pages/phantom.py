"""The page on the phantom: its pictures and statistics, and what benchmarks have recorded of it."""

from dataclasses import fields, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chestkd import workspace
from chestkd.data.dataset import PHANTOM_NAME
from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS
from chestkd.phantom.histories import REAL
from chestkd.phantom.layers import AIR, Layers
from chestkd.phantom.mimics import Mimics
from chestkd.phantom.render import Radiograph, Visit, draw
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.statistics import visit_counts, with_intervals

Box = tuple[float, float, float, float]

SEVERITIES = (0.15, 0.5, 0.9)
_BOX_COLOR = "#ffc20a"
_PANEL = 2.1
# From this patient on, the sites of the 14 findings lie well inside the lungs.
_FIRST_PATIENT = 31
_RESULTS = Path("benchmarks", "results")


def _panel(axes: Axes, image: np.ndarray, title: str, white: float = 255) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=white, interpolation="lanczos")
    axes.set_title(title, fontsize=7, pad=2)
    axes.set_axis_off()


def _grid(rows: int, columns: int, title: str) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(_PANEL * columns, (_PANEL + 0.18) * rows + 0.35),
        squeeze=False,
        layout="constrained",
    )
    figure.suptitle(f"PHANTOM: {title}", fontsize=10)
    for place in axes.flat:
        place.set_axis_off()
    return figure, axes


def _draw_box(axes: Axes, box: Box | None, size: int) -> None:
    if box is not None:
        x, y, width, height = (value * size / 1024 for value in box)
        frame = (x - 0.5, y - 0.5)
        axes.add_patch(Rectangle(frame, width, height, fill=False, edgecolor=_BOX_COLOR))


def steps(layers: Layers) -> list[tuple[str, np.ndarray]]:
    """How the thickness of an image builds up: (what is added, attenuation so far)."""
    right, left = layers.anatomy.air
    air = AIR * layers.depth * (right * layers.lungs[0] + left * layers.lungs[1])
    filled = AIR * layers.depth * layers.air * (right * layers.lungs[0] + left * layers.lungs[1])
    vessels = layers.vessels * (0.25 + 0.75 * layers.lung) * layers.seen
    so_far = layers.body
    named = [("body as a solid block", so_far)]
    for name, change in (
        ("minus the air of the lungs", -air),
        ("heart and vessels in front of it", air * (1 - layers.seen)),
        ("minus airways and gas", -layers.cavities),
        ("bones", layers.bones),
        ("pulmonary vessels", vessels),
        ("findings", (air - filled) * layers.seen + layers.opacity),
        ("lines, tubes, marker", layers.devices),
    ):
        so_far = so_far + change
        named.append((name, np.maximum(so_far, 0)))
    return named


def layer_by_layer(visit: Visit, specification: PhantomSpecification) -> Figure:
    """The layers of one radiograph, added one by one, and the finished image."""
    radiograph = draw(visit, specification)
    figure, axes = _grid(3, 3, "how one radiograph is made")
    shown = steps(radiograph.layers)
    for place, (name, thickness) in zip(axes.flat, shown, strict=False):
        _panel(place, 1 - np.exp(-thickness), name, white=1)
    _panel(axes.flat[len(shown)], radiograph.pixels, "scatter, blur, noise, 8 bits")
    return figure


def findings(specification: PhantomSpecification, names: tuple[str, ...] = FINDINGS) -> Figure:
    """Each finding in one patient at three severities, with its box."""
    columns = 2 * len(SEVERITIES)
    figure, axes = _grid(-(-len(names) // 2), columns, "the findings at three severities")
    for position, name in enumerate(names):
        for step, severity in enumerate(SEVERITIES):
            visit = example(name, severity)
            place = axes[position // 2, (position % 2) * len(SEVERITIES) + step]
            radiograph = draw(visit, specification)
            title = f"{name.replace('_', ' ')}, {severity:.2f}"
            _panel(place, radiograph.pixels, title)
            _draw_box(place, radiograph.boxes[name], specification.size)
    return figure


def example(name: str, severity: float) -> Visit:
    """A patient with one finding."""
    index = FINDINGS.index(name)
    return Visit(_FIRST_PATIENT + index, 0, index % 2 == 1, 60, "PA", {name: severity})


def sizes(visit: Visit, specification: PhantomSpecification, pixels: tuple[int, ...]) -> Figure:
    """One visit at several image sizes."""
    figure, axes = _grid(1, len(pixels), "one visit at several sizes")
    for place, size in zip(axes.flat, pixels, strict=True):
        image = draw(visit, replace(specification, size=size)).pixels
        place.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        place.set_title(f"{size} pixels", fontsize=7, pad=2)
    return figure


def patients(specification: PhantomSpecification, count: int = 5) -> Figure:
    """Healthy patients, one per column: PA at two visits, and AP."""
    figure, axes = _grid(3, count, "patients (columns) at three visits")
    for column in range(count):
        female, age = column % 2 == 0, 25 + 13 * column
        for row, view in enumerate(("PA", "PA", "AP")):
            visit = Visit(100 + column, row, female, age + row, view, {})
            sex = "woman" if female else "man"
            _panel(axes[row, column], draw(visit, specification).pixels, f"{sex}, {view}")
    return figure


def mimics(specification: PhantomSpecification) -> Figure:
    """One healthy chest with each mimic."""
    names = [field.name for field in fields(Mimics)]
    figure, axes = _grid(-(-(len(names) + 1) // 4), 4, "what only looks like a finding")
    visit = Visit(7, 0, False, 62, "PA", {})
    _panel(axes.flat[0], draw(visit, specification, Mimics()).pixels, "none")
    for place, name in zip(axes.flat[1:], names, strict=False):
        image = draw(visit, specification, Mimics(**{name: True})).pixels
        _panel(place, image, name.replace("_", " "))
    return figure


def shortcut(specification: PhantomSpecification) -> Figure:
    """One AP view without and with the planted tube."""
    figure, axes = _grid(1, 2, "the planted shortcut")
    for place, planted in zip(axes.flat, (False, True), strict=True):
        image: Radiograph = draw(Visit(12, 0, False, 55, "AP", {}, planted), specification)
        _panel(place, image.pixels, "with the tube" if planted else "without")
    return figure


def visits(table: pd.DataFrame) -> Figure:
    """Share of patients with at least as many images, real and phantom."""
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    real = pd.read_csv(REAL / "visits.csv", index_col="images")["patients"]
    for name, counts, style in (
        ("ChestX-ray14", real, "-"),
        ("PHANTOM", visit_counts(table), "--"),
    ):
        share = counts[::-1].cumsum()[::-1] / counts.sum()
        axes.step(share.index, share, style, where="post", label=name)
    axes.set(xscale="log", yscale="log", xlabel="images", ylabel="patients with at least so many")
    axes.set_title("PHANTOM: images per patient", fontsize=10)
    axes.legend(frameon=False)
    return figure


def beside_the_real(table: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Every statistic of ChestX-ray14 and of a phantom's label table.

    Columns statistic, real, phantom, low and high (95 % interval of the phantom's value over
    patients) and deviation (difference in standard errors).
    """
    rows = with_intervals(table, generator)
    rows.insert(0, "real", pd.read_csv(REAL / "statistics.csv", index_col="statistic")["value"])
    rows["deviation"] = (rows["value"] - rows["real"]) / rows["error"]
    rows = rows.rename(columns={"value": "phantom"}).drop(columns="error")
    return rows.rename_axis("statistic").reset_index()


def recorded(benchmark: str) -> pd.DataFrame:
    """What a benchmark too long for a page has recorded, such as "leak" or "learnability-64"."""
    path = workspace.resolve(_RESULTS / f"{benchmark}.csv")
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def recorded_source(measured: pd.DataFrame) -> str:
    """Data, training and commit behind a recorded table, as captions give them."""
    first = measured.iloc[0]
    if "train" in measured:
        training = f"{first['train']:,} for training, {first['test']:,} for test"
    else:
        training = f"{first['epochs']} epochs"
    return f"{PHANTOM_NAME} · {first['images']:,} images · {training} · commit {first['commit']}"


def learnability_table(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a finding, one column a model: "0.812 (0.790 to 0.833)"; differences left out."""
    models = measured[~measured["model"].str.contains(" minus ")]
    texts = [f"{Estimate(*row):.3f}" for row in models[["auc", "low", "high"]].to_numpy(float)]
    wide = models.assign(text=texts).pivot(index="finding", columns="model", values="text")
    wide = wide.loc[models["finding"].drop_duplicates(), models["model"].drop_duplicates()]
    return wide.rename_axis(columns=None).reset_index()


def learnability_differences(measured: pd.DataFrame) -> str:
    """In words: how much better one model is than another, with paired intervals."""
    rows = measured[measured["model"].str.contains(" minus ")]
    return "; ".join(
        f"{model} {Estimate(value, low, high):+.3f}"
        for model, value, low, high in rows[["model", "auc", "low", "high"]].to_numpy()
    )
