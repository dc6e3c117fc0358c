import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from chestkd.pages import figure_6


def history(accuracy: list[float]) -> pd.DataFrame:
    accuracies = np.array(accuracy)
    return pd.DataFrame(
        {
            "epoch": range(1, len(accuracy) + 1),
            "loss": 1 - accuracies,
            "validation_loss": 1 - accuracies,
            "accuracy": accuracies,
            "validation_accuracy": accuracies - 0.1,
            "validation_auc": accuracies - 0.2,
        }
    )


TAUGHT, BASE = history([0.6, 0.7, 0.8, 0.8]), history([0.5, 0.6, 0.7, 0.75])


def test_calling_every_finding_absent_is_right_where_there_is_none():
    assert figure_6.always_absent(np.array([[1, 0, 0, 0], [0, 0, 0, 0]])) == 0.875


def test_the_panels_hold_the_recorded_curves():
    drawn = figure_6.accuracy_curves(TAUGHT, BASE, 0.875)
    left, right = drawn.axes
    curves = {line.get_label(): list(line.get_ydata()) for line in left.get_lines()}
    assert curves == {
        "training": TAUGHT["accuracy"].tolist(),
        "validation": TAUGHT["validation_accuracy"].tolist(),
        "always absent (validation)": [0.875, 0.875],
    }
    curves = {line.get_label(): list(line.get_ydata()) for line in right.get_lines()}
    assert curves == {
        "self-training": TAUGHT["accuracy"].tolist(),
        "base": BASE["accuracy"].tolist(),
    }
    plt.close(drawn)


def test_the_record_has_every_epoch_of_both_runs():
    # A run that diverged is shorter.
    record = figure_6.histories({"self-training": TAUGHT, "base": BASE.iloc[:2]})
    assert record["epoch"].tolist() == [1, 2, 3, 4]
    assert record["training accuracy, base"].tolist()[:2] == [0.5, 0.6]
    assert record["training accuracy, base"].isna().tolist() == [False, False, True, True]
    assert len(record.columns) == 1 + 5 * 2


def test_the_summary_by_hand():
    long = history([0.5] * 6 + [0.7, 0.9])  # the last quarter is two epochs
    rows = figure_6.summary(long, history([0.5] * 8), 0.875).set_index("accuracy")
    training = rows.loc["training"]
    assert training["self-training"] == pytest.approx(90)
    assert training["difference"] == pytest.approx(40)
    assert training["deviation, self-training"] == pytest.approx(200**0.5)  # of 70 and 90
    assert training["deviation, base"] == 0
    assert np.isnan(training["always absent"])
    assert rows.loc["validation", "always absent"] == 87.5
    assert rows.loc["validation", "self-training"] == pytest.approx(80)
    short = figure_6.summary(TAUGHT, BASE, 0.875)
    assert short["deviation, base"].isna().all()
