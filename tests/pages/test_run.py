"""The page of a run, on runs that were written by hand."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from fabricated import Fabricated

from chestkd.evaluation.auc import auc_difference
from chestkd.pages.run import RunPage, open_page
from chestkd.pages.run_figures import learning_curves
from chestkd.study import presets
from chestkd.study.planned_runs import PlannedRun

BASE = PlannedRun("base", "resnet-32", seed=0)
TAUGHT = PlannedRun("standard", "resnet-32", "mobilenet-v1", seed=0)


class Study(Fabricated):
    def caption(self, runs: int, *, split: str = "") -> str:
        return f"PHANTOM · {runs} runs · {split or 'own split'}"


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(presets.load("smoke"), tmp_path)


def page(study: Study, **changes: object) -> RunPage:
    study.add(BASE, 0.5)
    study.add(TAUGHT, 1.5, **changes)
    base = study.find(BASE)
    return RunPage(study, TAUGHT, study.find(TAUGHT), {"ResNet-32, base": base})


def test_the_difference_is_this_run_minus_the_reference(study):
    shown = page(study)
    own, other = shown.run.scores(), study.find(BASE).scores()
    expected = auc_difference(
        own["labels"], own["logits"], other["logits"], own["patients"],
        resamples=study.preset.resamples,
    )  # fmt: skip
    assert expected.low > 0
    text = f"{100 * expected.value:+.2f} ({100 * expected.low:+.2f} to {100 * expected.high:+.2f})"
    table = shown.against().data
    assert text in table
    assert "ResNet-32, standard minus each of the others" in table
    assert "PHANTOM · 2 runs" in table


def test_aucs_and_intervals_name_the_run(study):
    shown = page(study)
    assert "Test AUC of ResNet-32, standard" in shown.aucs().data
    assert "PHANTOM · 1 runs · own split" in shown.aucs().data
    intervals = shown.intervals().data
    assert "Means: ResNet-32, standard 0." in intervals
    assert "; ResNet-32, base 0." in intervals


def test_a_run_that_diverged_has_no_scores_to_show(study):
    shown = page(study, status="diverged")
    for part in (shown.against(), shown.aucs()):
        assert "stopped being finite" in part.data
    assert "standard" not in shown.intervals().data.split("Means: ")[1]  # the base run alone
    of_base = RunPage(study, BASE, study.find(BASE), {"taught": shown.run})
    assert "<td>diverged</td>" in of_base.against().data


def test_curves_have_a_line_for_training_and_for_validation():
    columns = ("epoch", "loss", "validation_loss", "validation_auc")
    history = pd.DataFrame({name: [1, 2] for name in columns})
    losses, areas = learning_curves({"one": history, "two": history}).axes
    assert len(losses.lines) == 2 * 2 + 2  # and two without points for the legend
    assert [text.get_text() for text in areas.get_legend().get_texts()] == ["one", "two"]
    plt.close("all")


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="unknown strategy 'standrad'; allowed: base, standard"):
        open_page("standrad", {})


def test_a_run_on_the_image_wise_split_names_its_own_test_patients(study):
    planned = PlannedRun("base", "resnet-32", split="image-wise", seed=0)
    study.add(planned)
    shown = RunPage(study, planned, study.find(planned), {})
    assert "PHANTOM · 1 runs · image-wise" in shown.aucs().data
    assert "PHANTOM · 1 runs · image-wise" in shown.intervals().data
