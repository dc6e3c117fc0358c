"""What a study says of itself, on a data set that is not drawn."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from chestkd.data.splits import split
from chestkd.study import presets
from chestkd.study.study import Study


@pytest.fixture
def study() -> Study:
    """Test patients 10 to 15 of the official split: six, one of whom has four of nine images."""
    patients = np.array([*range(10), 0, 1, 10, 10, 10, 10, 11, 12, 13, 14, 15])
    table = pd.DataFrame(
        {
            "image": [f"{row:08}.png" for row in range(len(patients))],
            "patient": patients,
            "listed": np.where(patients < 10, "train_val", "test"),
        }
    )
    labels = np.zeros((len(table), 14), np.uint8)
    labels[patients % 2 == 0] = 1
    dataset = SimpleNamespace(name="PHANTOM", note="", table=table, labels=labels)
    preset = presets.load("smoke")
    study = Study(preset, "smoke")
    # In place of the data set that would be drawn.
    parts = split(dataset, preset.split, seed=preset.split_seed)
    vars(study).update(dataset=dataset, prepared=SimpleNamespace(dataset=dataset), split=parts)
    return study


def test_results_of_runs_say_on_how_many_patients_they_rest(study):
    assert study.preset.split == "official"
    caption = study.caption(runs=2)
    # 9^2 / (4^2 + 5 * 1^2) = 3.86
    assert "2 runs · 6 test patients, worth 4 with equally many images" in caption
    # All six patients with a finding, or all without, with probability 2 * (1/2)^6 = 3 %.
    assert "; a finding is undefined in " in caption
    assert caption.startswith("PHANTOM · preset smoke · ")
    for without in (study.caption(), study.caption(runs=0)):
        assert "test patients" not in without


def test_image_wise_runs_are_tested_on_other_patients(study):
    parts = study.parts("image-wise")
    patients = study.prepared.dataset.table["patient"].to_numpy()[parts.test]
    assert f"{len(np.unique(patients))} test patients" in study.caption(runs=1, split="image-wise")
    assert study.parts("official") is study.split
