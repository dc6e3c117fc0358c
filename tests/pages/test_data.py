"""The page on the data: parts of the split, counts and co-occurrence."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from chestkd.findings import FINDINGS
from chestkd.pages import data


def test_lift_by_hand():
    labels = pd.DataFrame(0, index=range(8), columns=FINDINGS)
    labels.loc[[0, 1], "Edema"] = 1
    labels.loc[[1, 2, 3, 4], "Mass"] = 1
    lift = data.co_occurrence_lift(labels.to_numpy())
    assert lift.loc["Edema", "Mass"] == 1.0  # 1/8 together; 2/8 and 4/8 alone
    assert lift.isna().loc["Edema", "Edema"]
    assert lift.isna().loc["Hernia", "Mass"]


@pytest.fixture
def dataset() -> SimpleNamespace:
    """Four images of three patients: Edema in one, Edema and Mass in another."""
    labels = np.zeros((4, 14), np.uint8)
    labels[1, FINDINGS.index("Edema")] = labels[2, FINDINGS.index("Edema")] = 1
    labels[2, FINDINGS.index("Mass")] = 1
    table = pd.DataFrame(
        {"patient": [1, 1, 2, 3], "view": ["AP", "PA", "PA", "PA"], "sex": ["F", "F", "M", "M"],
         "age": [50, 52, 40, 60]}
    )  # fmt: skip
    return SimpleNamespace(labels=labels, table=table)


SPLIT = SimpleNamespace(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))


def test_the_summary_by_hand(dataset):
    rows = data.summary(dataset, SPLIT).set_index("part")
    assert rows.index.tolist() == ["training", "validation", "test", "all"]
    assert rows.loc["training"].tolist() == [2, 1, 1, 1, 0.5, 1.0, 51.0]
    # Of three patients one has two of the four images: 4^2 / (2^2 + 1 + 1).
    assert rows.loc["all"].tolist() == [4, 3, 16 / 6, 2, 0.25, 0.5, 51.0]


def test_counts_by_part_rarest_first(dataset):
    counts = data.label_counts(dataset, SPLIT)
    assert counts.index[-2:].tolist() == ["Mass", "Edema"]
    assert counts.loc["Edema"].tolist() == [1, 1, 0]
    drawn = data.draw_label_counts(counts)
    assert [text.get_text() for text in drawn.axes[0].texts][-1] == " 2"
    plt.close(drawn)
