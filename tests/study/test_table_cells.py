"""From runs to the cells of Tables 1 and 2 and to the effects behind the claims."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fabricated import Fabricated, scores

from chestkd.distillation.run_names import RunName
from chestkd.evaluation.auc import auc_difference, auc_table, mean_auc
from chestkd.evaluation.intervals import Measured, mean_over_seeds
from chestkd.findings import FINDINGS
from chestkd.pages import claims, table_1, table_2
from chestkd.pages.effects import measured_effects as effects
from chestkd.paper import published, verdicts
from chestkd.paper.claims import claim
from chestkd.study import presets, training_times
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import Distillation
from chestkd.study.table_cells import Cell, cells, mean_aucs

PRESET = dataclasses.replace(
    presets.load("phantom"),
    networks=("mobilenet-v1", "densenet-121"),
    students=("mobilenet-v1", "densenet-121"),
    teachers=("densenet-121",),
    recipes={},
    image_wise=(),
    seeds=(0, 1),
    resamples=100,
    distillation=Distillation(),
)
BASE = RunName("base", "mobilenet-v1")
STANDARD = RunName("standard", "mobilenet-v1", "densenet-121")
SELF = RunName("self-training", "mobilenet-v1", "mobilenet-v1")


def base(seed=0, network="mobilenet-v1"):
    return PlannedRun("base", network, seed=seed)


def taught(strategy="standard", seed=0, network="mobilenet-v1", teacher="densenet-121"):
    return PlannedRun(strategy, network, teacher, seed=seed)


def own(strategy="self-training", seed=0, network="mobilenet-v1"):
    return PlannedRun(strategy, network, network, seed=seed)


@pytest.fixture
def study(tmp_path) -> Fabricated:
    return Fabricated(PRESET, tmp_path)


# Cells.


def test_a_cell_says_which_runs_are_missing_and_why(study):
    study.add(base(0))
    study.add(base(1), status="diverged")
    found = cells(study)
    assert set(found[BASE].runs) == {0}
    assert found[BASE].note == "seed 1 diverged"
    assert found[STANDARD].note == "not run"
    assert Cell({}, {0: "diverged", 1: "not run"}).note == "seed 0 diverged, seed 1 not run"
    assert RunName("base", "vgg-19") not in found


def test_runs_of_the_grid_are_no_cells(tmp_path):
    grid = Distillation(alpha=(0.1, 0.9))
    preset = dataclasses.replace(PRESET, distillation=grid)
    assert set(cells(Fabricated(preset, tmp_path))) == set(cells(Fabricated(PRESET, tmp_path)))


# AUCs: those of chestkd.evaluation.auc, on the same resamples.


def test_one_seed_has_the_interval_of_auc_table(study):
    study.add(base(0))
    found = mean_aucs(cells(study), 100)[BASE][0].estimate
    run = study.find(base(0)).scores()
    table = auc_table(run["labels"], run["logits"], run["patients"], resamples=100).iloc[-1]
    assert (found.value, found.low, found.high) == pytest.approx(
        (table["auc"], table["low"], table["high"])
    )


def test_an_effect_is_the_paired_comparison(study):
    study.add(base(0), 0.5)
    study.add(own(), 1.0)
    measured = mean_aucs(cells(study), 100)
    row = effects([claim("C7")], measured).iloc[0]
    one, other = study.find(own()).scores(), study.find(base(0)).scores()
    expected = auc_difference(
        one["labels"], one["logits"], other["logits"], one["patients"], resamples=100
    )
    assert row["comparison"] == "self-training mobilenet-v1 over base mobilenet-v1"
    assert (row["effect"], row["low"], row["high"]) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def fixed(*values: float, resamples: int = 4000) -> dict[int, Measured]:
    """Runs of several seeds that no resample of the patients changes."""
    return {seed: Measured(value, np.full(resamples, value)) for seed, value in enumerate(values)}


def test_seeds_are_averaged_and_only_where_both_sides_have_them():
    measured = {SELF: fixed(0.7, 0.9), BASE: {1: fixed(0.0, 0.5)[1]}}
    table = effects([claim("C7")], measured)
    assert table["effect"].tolist() == pytest.approx([0.9 - 0.5] * 2)  # the cell and the mean
    assert not len(effects([claim("C7")], {SELF: {0: fixed(0.7)[0]}, BASE: measured[BASE]}))


def test_the_interval_holds_the_spread_of_the_seeds():
    values = (0.70, 0.74, 0.81, 0.75)
    sample = mean_over_seeds(list(fixed(*values).values())).resampled
    # The standard error of a mean, with the unbiased deviation.
    assert sample.std() == pytest.approx(np.std(values, ddof=1) / 2, rel=0.05)
    assert sample.mean() == pytest.approx(np.mean(values), abs=0.002)
    same = mean_over_seeds(list(fixed(0.7, 0.7, 0.7).values())).estimate
    assert (same.low, same.high) == pytest.approx((0.7, 0.7))


def test_the_mean_of_a_part_is_that_of_its_comparisons(study):
    for run, strength in ((base(0), 0.5), (own(), 1.0), (base(0, "densenet-121"), 0.8)):
        study.add(run, strength)
    study.add(own(network="densenet-121"), 1.2)
    table = effects([claim("C7")], mean_aucs(cells(study), 50)).set_index("comparison")
    rows = table.drop(verdicts.MEAN)
    assert len(rows) == 2
    assert table["effect"][verdicts.MEAN] == pytest.approx(rows["effect"].mean())
    (outcome,) = verdicts.judge(claim("C7"), table.reset_index(), partial=True)
    assert outcome.verdict == "supported"
    assert (outcome.compared, len(outcome.missing)) == (2, 3)


def test_a_test_set_too_small_for_any_resample_has_no_effect():
    undefined = Measured(0.5, np.full(50, np.nan))
    nothing = {BASE: {0: undefined}, SELF: {0: undefined}}
    assert not len(effects([claim("C7")], nothing))
    assert np.isnan(undefined.estimate.low)


# C12: only where somebody measured it.


def test_image_wise_runs_are_compared_where_they_exist(study):
    specification = study.add(base(0), 0.5)
    measured = mean_aucs(cells(study), 50)
    assert "C12" not in set(claims.auc_effects(study, cells(study), measured)["claim"])
    leaky = dataclasses.replace(specification, split="image-wise")
    # Other test images, of patients some of whom are the same.
    study.write(leaky, 1.5, patients=study.patients + 20)
    table = claims.auc_effects(study, cells(study), measured).query("claim == 'C12'")
    label = "base mobilenet-v1 image-wise over base mobilenet-v1"
    row = table.set_index("comparison").loc[label]
    assert 0 < row["low"] < row["effect"] < row["high"]


def test_equal_scores_on_the_shared_findings_are_no_leak(study):
    """The image-wise test part has no Hernia: both sides are means over the other 13."""
    planned, hernia = base(0), FINDINGS.index("Hernia")
    wrong = scores(study.labels, 0.5, seed=0)
    wrong[:, hernia] = -study.labels[:, hernia]  # far from the mean of the others
    study.write(study.specification(planned), logits=wrong)
    own = study.find(planned).scores()
    labels = own["labels"].copy()
    labels[:, hernia] = 0
    specification = dataclasses.replace(study.specification(planned), split="image-wise")
    study.write(specification, labels=labels, logits=own["logits"])
    leaky = study.store.load(specification.id).scores()
    assert (
        abs(mean_auc(leaky["labels"], leaky["logits"]) - mean_auc(own["labels"], own["logits"]))
        > 0.02
    )
    table = claims.auc_effects(study, cells(study), {}).query("claim == 'C12'")
    assert len(table) == 2
    assert (table[["effect", "low", "high"]] == 0).all(axis=None)
    note = claims.image_wise_note(study, cells(study))
    assert "left out: Hernia. The image-wise part: test patients of the image-wise split." in note


def test_nothing_is_said_of_c12_without_image_wise_runs(study):
    study.add(base(0))
    assert claims.image_wise_note(study, cells(study)) == ""


def test_runs_that_share_no_finding_are_not_compared(study):
    first, second = study.labels.copy(), study.labels.copy()
    first[:, :7], second[:, 7:] = 0, 1
    study.add(base(0), labels=first)
    study.add(own(), labels=second)
    with pytest.raises(ValueError, match="in the test set of every run"):
        mean_aucs(cells(study), 20)


# Table 1.


def test_a_mean_over_fewer_findings_is_not_subtracted_from_the_papers(study):
    assert table_1.comparability(cells(study)) == ""
    study.labels[:, FINDINGS.index("Hernia")] = 0
    study.add(base(0), 0.5)
    table = table_1.table1(PRESET.pairs, cells(study), mean_aucs(cells(study), 20))
    assert table["measured"].notna().sum() == 2
    assert table["difference"].isna().all()
    assert "leave out Hernia" in table_1.comparability(cells(study))


def test_table_1_has_every_printed_cell(study):
    table = table_1.table1(PRESET.pairs, cells(study), {})
    assert len(table) == len(published.table1()) == 52
    assert table["paper"].sum() == pytest.approx(published.table1()["auc"].sum())
    assert set(table["missing"]) == {"not in preset", "not run"}


def test_a_cell_of_table_1(study):
    study.add(base(0), 0.5)
    measured = mean_aucs(cells(study), 50)
    table = table_1.table1(PRESET.pairs, cells(study), measured)
    rows = table.query("strategy == 'base' and student == 'MobileNet-v1'")
    assert rows["runs"].tolist() == [1, 1]  # once under each teacher, as printed
    auc = measured[BASE][0].value
    assert rows["difference"].tolist() == pytest.approx([100 * (auc - 0.6710)] * 2)
    assert rows["missing"].tolist() == ["seed 1 not run"] * 2


def test_reversed_distillation_is_shown_for_the_taught_network(study):
    study.add(taught("reversed", network="densenet-121", teacher="mobilenet-v1"))
    table = table_1.table1(PRESET.pairs, cells(study), mean_aucs(cells(study), 20))
    row = table.query("strategy == 'reversed' and runs > 0").iloc[0]
    assert (row["teacher"], row["student"]) == ("DenseNet-121", "MobileNet-v1")
    assert (row["network"], row["taught by"]) == ("DenseNet-121", "MobileNet-v1")
    assert row["paper"] == 0.6902


def test_pairs_that_the_paper_lacks_come_last(study):
    table = table_1.table1([("resnet-32", "mobilenet-v1")], {}, {})
    assert len(table) == 52 + 6
    assert table.iloc[-1]["teacher"] == "MobileNet-v1"
    assert np.isnan(table.iloc[-1]["paper"])


def test_the_layout_has_four_lines_where_something_was_measured(study):
    study.add(base(0))
    table = table_1.table1(PRESET.pairs, cells(study), mean_aucs(cells(study), 50))
    layout = table_1.table1_layout(table)
    rows = layout.query("student == 'MobileNet-v1' and teacher == 'DenseNet-121'")
    assert rows["value"].tolist() == list(table_1.LINES)
    assert rows["standard"].tolist() == ["0.7494", "not run", "", ""]
    assert rows["base"].iloc[0] == "0.6710"
    assert len(layout.query("student == 'VGG-19' and teacher == 'ResNet-152'")) == 2


def test_the_noise_is_the_spread_of_one_procedure():
    key = {name: RunName(name, "densenet-121", "densenet-121") for name in table_1.ONE_PROCEDURE}
    measured = {
        key["self-training"]: fixed(0.80, 0.70),
        key["standard"]: fixed(0.82, 0.72),
        key["reversed"]: fixed(0.84),
    }
    table = table_1.noise(measured)
    assert table["source"].tolist() == [
        "paper", "measured, teacher of seed 0", "measured, teacher of seed 1",
    ]  # fmt: skip
    # The paper's 0.8256, 0.8196, 0.8021.
    assert table["range"].tolist() == pytest.approx([2.35, 4.0, 2.0])
    assert table["deviation"].tolist()[1:] == pytest.approx([2.0, 2**0.5])
    # sqrt((2 * 2^2 + 1 * 2) / 3)
    assert table_1.pooled_deviation(table) == (pytest.approx((10 / 3) ** 0.5), 3)
    assert table_1.pooled_deviation(table_1.noise({}))[1] == 0


# Table 2 and C10.


def times(study: Fabricated, *key: str) -> pd.Series:
    table = table_2.table2(cells(study))
    return table.set_index(["network", "strategy", "taught by"]).loc[key]


def test_times_with_and_without_the_teacher(study):
    study.add(base(0), seconds=(40.0, 10.0, 10.0))
    study.add(base(0, "densenet-121"), seconds=(60.0, 60.0, 60.0))
    study.add(taught(), seconds=(46.0, 10.0, 10.0))
    row = times(study, "MobileNet-v1", "standard", "DenseNet-121")
    assert (row["minutes"], row["ratio"]) == pytest.approx((1.1, 1.1))
    assert (row["minutes in all"], row["ratio in all"]) == pytest.approx((4.1, 4.1))
    assert row["ratio by images/s"] == pytest.approx(1.0)
    assert (row["paper minutes"], row["paper ratio"]) == pytest.approx((431, 431 / 182))


def test_a_defective_teacher_costs_its_first_epochs_only(study):
    four = dataclasses.replace(PRESET.recipe, epochs=4)
    study.preset = dataclasses.replace(PRESET, recipe=four)
    study.add(base(0, "densenet-121"), seconds=(30.0, 20.0, 20.0, 20.0))
    study.add(taught("defective"), seconds=(10.0,) * 4)
    assert times(study, "MobileNet-v1", "defective", "DenseNet-121")[
        "minutes in all"
    ] == pytest.approx((30 + 40) / 60)


def test_times_on_other_hardware_are_not_compared(study):
    study.add(base(0), devices=["cpu"])
    study.add(own())
    row = times(study, "MobileNet-v1", "self-training", "MobileNet-v1")
    assert np.isnan(row["ratio"])
    assert row["note"] == "seed 1 not run; no base run of this seed and hardware"
    assert list(training_times.training_times(cells(study), 20)) == [BASE]


def test_code_that_was_not_committed_is_named_where_runs_differ(study):
    study.add(base(0))
    study.add(own(), dirty=True)
    assert (
        "uncommitted code" in times(study, "MobileNet-v1", "self-training", "MobileNet-v1")["note"]
    )
    lines = training_times.origins([study.find(base(0)), study.find(own())])
    assert lines[0] == "2 of 2 runs: NVIDIA H200, jax, float32."
    assert lines[-1] == "1 of 2 runs: made with changes that were not committed."


def test_self_training_costs_its_base_run_too(study):
    study.add(base(0), seconds=(20.0, 10.0, 10.0))
    study.add(own(), seconds=(20.0, 10.0, 14.0))
    table = effects([claim("C10")], training_times.training_times(cells(study), 200))
    row = table.iloc[0]
    assert row["effect"] == pytest.approx((40 + 44) / 40)
    # The later epochs are drawn: 20 to 28 seconds of them.
    assert (row["low"], row["high"]) == pytest.approx(((40 + 40) / 40, (40 + 48) / 40))


def test_epochs_timed_in_turn_come_before_the_clock_of_runs(study, tmp_path, monkeypatch):
    study.add(base(0), seconds=(20.0, 10.0, 10.0))
    study.add(base(0, "densenet-121"), seconds=(60.0, 60.0, 60.0))
    size, epochs = study.preset.size, study.preset.recipe.epochs
    rounds = pd.DataFrame(
        [
            ("mobilenet-v1", "mobilenet-v1", size, 10.0, 11.0, 8.0, "cpu"),
            ("mobilenet-v1", "mobilenet-v1", size, 20.0, 22.0, 16.0, "cpu"),
            ("mobilenet-v1", "densenet-121", size, 10.0, 90.0, 8.0, "cpu"),
            ("densenet-121", "densenet-121", size + 1, 10.0, 90.0, 8.0, "cpu"),
        ],
        columns=["network", "teacher", "size", "base", "taught", "storing", "hardware"],
    )
    rounds.to_csv(tmp_path / "teaching.csv", index=False)
    monkeypatch.setattr(training_times, "TIMED", tmp_path / "teaching.csv")
    timed = training_times.timed_teaching(cells(study), 20)
    assert list(timed) == ["mobilenet-v1"]
    marginal, whole = timed["mobilenet-v1"]
    assert marginal.value == pytest.approx(1.1)
    assert whole.value == pytest.approx(1 + 1.1 + 0.8 / epochs)
    np.testing.assert_allclose(whole.resampled, whole.value)
    row = effects([claim("C10")], training_times.training_times(cells(study), 20)).iloc[0]
    assert row["effect"] == pytest.approx(whole.value)
    shown = table_2.teaching_cost(cells(study), 20).iloc[0]
    assert (shown["network"], shown["rounds"]) == ("MobileNet-v1", 2)
    assert (shown["marginal"], shown["whole high"]) == pytest.approx((1.1, whole.value))


def test_two_epochs_say_nothing_of_their_spread(study):
    study.add(base(0), seconds=(20.0, 10.0))
    assert training_times.training_times(cells(study), 20) == {}


# The ledger.


def test_the_ledger_says_what_was_run(tmp_path, study):
    study.add(base(0), 0.2)
    study.add(own(), 1.5)
    found = claims.study_effects(study, cells(study))
    ledger = claims.ledger(found).set_index("claim")
    assert len(ledger) == 13
    assert ledger["verdict"]["C7"] == "supported"
    assert ledger["compared"]["C7"] == "1 of 5"
    assert ledger["measured"]["C10"].startswith("2.00 (")
    assert ledger["verdict"][["C1", "C8, weak students", "C11", "C12"]].tolist() == ["not run"] * 4
    assert claims.tally(ledger.reset_index()).startswith("Of 12 claims: **2 supported**")
    rows = claims.comparisons(found, cells(study)).set_index(["claim", "comparison"])
    key = "standard mobilenet-v1 from densenet-121 over base mobilenet-v1"
    assert "standard mobilenet-v1 from densenet-121: not run" in rows["missing"]["C2", key]
    assert rows["paper"]["C2", key] == pytest.approx(100 * (0.7494 - 0.6710))
    assert rows["missing"]["C7", "self-training mobilenet-v1 over base mobilenet-v1"] == ""
