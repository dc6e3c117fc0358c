"""Figure 3: which images, and what is drawn."""

import layout
import matplotlib.pyplot as plt
import numpy as np
import pytest

from chestkd.data import nih
from chestkd.data.dataset import Dataset
from chestkd.findings import FINDINGS, readable
from chestkd.pages import figure_3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return nih.read(layout.write(tmp_path_factory.mktemp("examples") / "data", patients=24))


def test_images_by_name(dataset):
    row = int(np.flatnonzero(dataset.labels.any(axis=1))[0])
    finding = FINDINGS[int(dataset.labels[row].argmax())]
    image = dataset.table["image"][row]
    assert figure_3.by_name(dataset, {finding: image}) == {finding: row}
    absent = FINDINGS[int(dataset.labels[row].argmin())]
    with pytest.raises(ValueError, match=rf"image {image} is labeled .*, not {absent}"):
        figure_3.by_name(dataset, {absent: image})
    with pytest.raises(ValueError, match=r"no image 'x\.png' among the"):
        figure_3.by_name(dataset, {finding: "x.png"})


def test_the_figure_has_a_panel_for_each_and_the_size_asked_for(dataset):
    chosen = figure_3.choose_examples(dataset, 0)
    boxed = {finding for finding, row in chosen.items() if len(
        dataset.boxes[(dataset.boxes["row"] == row) & (dataset.boxes["finding"] == finding)]
    )}  # fmt: skip
    drawn = figure_3.draw_examples(dataset, chosen, size=16)
    panels = [axes for axes in drawn.axes if axes.images]
    assert len(panels) == len(chosen)
    assert panels[0].images[0].get_array().shape == (16, 16)
    assert boxed
    assert {finding for finding, axes in zip(chosen, panels, strict=True) if axes.patches} == boxed
    plt.close(drawn)
    native = figure_3.draw_examples(dataset, dict(list(chosen.items())[:1]))
    row = next(iter(chosen.values()))
    assert native.axes[0].images[0].get_array().shape == dataset.image(row).shape
    plt.close(native)


def test_labels_beside_the_finding(dataset):
    chosen = figure_3.choose_examples(dataset, 0)
    table = figure_3.labels_beside(dataset, chosen)
    assert table["finding"].tolist() == [readable(name) for name in chosen]
    for (_, row), others in zip(chosen.items(), table["other labels"], strict=True):
        assert len(list(filter(None, others.split(", ")))) == dataset.labels[row].sum() - 1
