"""The plan of a sweep: Table 1's runs, each once, in an order in which they can be made."""

import dataclasses
from collections import Counter

import pytest

from chestkd.distillation.run_names import RunName
from chestkd.networks.architectures import NETWORKS
from chestkd.paper import published
from chestkd.study import presets
from chestkd.study.planned_runs import PlannedRun, grid_runs, made_by_grid, planned_runs
from chestkd.study.presets import Preset
from chestkd.study.study import open_study
from chestkd.training.specification import Recipe, RunSpecification


@pytest.fixture(scope="module")
def paper() -> Preset:
    return presets.load("paper")


@pytest.fixture(scope="module")
def phantom() -> Preset:
    return presets.load("phantom")


def specification(planned: PlannedRun, preset: Preset) -> RunSpecification:
    return planned.specification(preset, "data", alpha=0.5, temperature=4.0)


def changed(tmp_path, name: str, old: str, new: str) -> Preset:
    text = (presets.workspace.resolve(presets.FOLDER) / f"{name}.yaml").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    return presets.load(str(tmp_path / "mine.yaml"))


def test_the_paper_is_42_runs_of_one_seed_and_the_grid(paper):
    runs = planned_runs(paper)
    assert len(grid_runs(paper)) == 9
    cells = [run for run in runs if run.alpha is None]
    assert len(runs) == 42 + 9
    assert Counter(run.strategy for run in cells) == {
        "base": 7,
        "self-training": 5,
        "standard": 10,
        "reversed": 10,
        "defective": 10,
    }


def test_the_runs_are_those_of_table_1_and_inception(paper):
    planned = {run.name for run in planned_runs(paper) if run.alpha is None}
    assert planned == set(published.aucs()) | {RunName("base", "inception-v3")}


def test_learning_is_as_the_paper_says(paper):
    assert paper.recipe == Recipe(epochs=200, precision="bfloat16")
    assert (paper.recipe.rate, paper.recipe.momentum, paper.recipe.weight_decay) == (0.1, 0.9, 5e-4)
    assert paper.recipe.defective_epoch == 50
    assert (paper.size, paper.split, paper.weights) == (224, "official", "imagenet")


def test_the_defective_teacher_comes_before_the_first_drop(paper, phantom):
    for preset in (paper, phantom):
        first_drop = round(preset.recipe.drops[0] * preset.recipe.epochs)
        assert preset.recipe.defective_epoch <= first_drop


@pytest.mark.parametrize("name", ["paper", "paper-small", "phantom", "smoke"])
def test_a_run_comes_after_those_that_it_needs_and_once(name):
    preset = presets.load(name)
    runs = planned_runs(preset)
    assert len({run.key for run in runs}) == len(runs)
    assert len({specification(run, preset).id for run in runs if run.alpha is None}) == len(
        [run for run in runs if run.alpha is None]
    )
    seen: set[PlannedRun] = set()
    for run in runs:
        assert run.teacher is None or run.teacher_run(preset) in seen
        # The notebook of a taught run shows the network's own base run beside it.
        assert run.teacher is None or PlannedRun("base", run.network, seed=run.seed) in seen
        seen.add(run)


def test_seeds_are_run_one_after_another(phantom):
    seeds = [run.seed for run in planned_runs(phantom)]
    assert seeds == sorted(seeds)
    assert Counter(seeds) == {0: 43 + 9, 1: 43, 2: 43}  # with two image-wise runs each


def test_image_wise_runs_differ_in_the_split_alone(phantom):
    leaky = [run for run in planned_runs(phantom) if run.split]
    assert {(run.network, run.seed) for run in leaky} == {
        (network, seed) for network in phantom.image_wise for seed in phantom.seeds
    }
    for run in leaky:
        own = specification(dataclasses.replace(run, split=None), phantom)
        assert specification(run, phantom) == dataclasses.replace(own, split="image-wise")
        assert run.key == f"base-{run.network}-image-wise-seed{run.seed}"
        assert run.parameters()["split"] == "image-wise"


def test_reversed_distillation_trains_the_teacher(phantom):
    reversed_ = [run for run in planned_runs(phantom) if run.strategy == "reversed"]
    assert {run.network for run in reversed_} == set(phantom.teachers)
    assert {run.teacher for run in reversed_} == set(phantom.students)


def test_one_procedure_under_three_names_runs_on_three_seeds(paper):
    own = [
        PlannedRun(strategy, "densenet-121", "densenet-121", seed=0)
        for strategy in ("self-training", "standard", "reversed")
    ]
    assert set(own) <= set(planned_runs(paper))
    made = [specification(run, paper) for run in own]
    assert [each.seed for each in made] == [0, 1000, 2000]
    assert len({each.teaching for each in made}) == 1
    assert specification(PlannedRun("base", "densenet-121", seed=0), paper).seed == 0


def test_resnet_32_has_no_imagenet_weights(paper):
    bases = [specification(PlannedRun("base", name, seed=0), paper) for name in paper.networks]
    started = {each.network: each.weights for each in bases}
    assert started.pop("resnet-32") is None
    assert set(started.values()) == {"imagenet"}
    assert NETWORKS["resnet-32"].weights_file is None


# Recipes of single networks.


def test_a_network_keeps_its_own_recipe_whoever_teaches_it(phantom):
    own = phantom.recipe_of("vgg-19")
    assert own == dataclasses.replace(phantom.recipe, weight_decay=0.000036)
    assert phantom.recipe_of("resnet-50") == phantom.recipe
    for run in planned_runs(phantom):
        expected = own if run.network == "vgg-19" else phantom.recipe
        assert specification(run, phantom).recipe == expected


def test_a_teachers_own_recipe_is_part_of_the_taught_run(phantom):
    taught = PlannedRun("reversed", "densenet-121", "vgg-19", seed=0)
    without = dataclasses.replace(phantom, recipes={})
    assert specification(taught, phantom).id != specification(taught, without).id
    teacher = specification(taught, phantom).teaching.teacher
    assert teacher == specification(PlannedRun("base", "vgg-19", seed=0), phantom).id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  vgg-19:\n    weight", "  vgg-16:\n    weight", "'vgg-16' is not in networks"),
        ("weight_decay: 0.000036", "decay: 0.1", "recipes: vgg-19: unknown key 'decay'"),
        ("weight_decay: 0.000036", "epochs: 0", "recipes: vgg-19: epochs must be at least 1"),
        ("    weight_decay: 0.000036", "    - 1", "recipes: vgg-19: expected a mapping"),
        ("teachers: [densenet-121, resnet-152]", "teachers: []", "needs students and teachers"),
        ("students: [mobilenet-v1, vgg", "students: [mobilenet-v1, mobilenet-v1, vgg", "students"),
        ("image_wise: [resnet-32", "image_wise: [vgg-16", "image_wise: 'vgg-16' is not in"),
    ],
)  # fmt: skip
def test_mistakes_are_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        changed(tmp_path, "phantom", old, new)


def test_a_grid_without_pairs_is_refused(phantom):
    with pytest.raises(ValueError, match="grid over alpha and temperature needs"):
        dataclasses.replace(phantom, students=(), teachers=(), strategies=("base",))


def test_self_training_needs_no_teacher(phantom):
    single = presets.Distillation()
    preset = dataclasses.replace(
        phantom, teachers=(), strategies=("base", "self-training"), distillation=single, seeds=(0,)
    )
    taught = [run for run in planned_runs(preset) if run.strategy != "base"]
    assert taught == [PlannedRun("self-training", name, name, seed=0) for name in phantom.students]
    with pytest.raises(ValueError, match="'self-training' needs students"):
        dataclasses.replace(preset, students=())


# The grid.


def test_the_grid_is_standard_distillation_of_the_first_pair(phantom):
    runs = grid_runs(phantom)
    assert {(run.network, run.teacher, run.seed) for run in runs} == {
        ("mobilenet-v1", "densenet-121", 0)
    }
    assert {(run.alpha, run.temperature) for run in runs} == {
        (alpha, temperature) for alpha in (0.1, 0.5, 0.9) for temperature in (1, 4, 20)
    }


def test_the_best_run_of_the_grid_is_not_made_again(phantom):
    planned = made_by_grid(phantom)
    assert planned in planned_runs(phantom)
    best = grid_runs(phantom)[4]
    chosen = planned.specification(phantom, "data", alpha=best.alpha, temperature=best.temperature)
    assert chosen.id == specification(best, phantom).id
    assert made_by_grid(presets.load("smoke")) is None


# What a notebook may ask for instead of the preset.


def test_alpha_and_temperature_are_given_together_or_left_to_the_preset():
    planned = PlannedRun("standard", "mobilenet-v1", "resnet-32", seed=0)
    assert planned.with_distillation(None, None) is planned
    given = planned.with_distillation(0.0, 2.0)
    assert (given.alpha, given.temperature) == (0.0, 2.0)
    assert given.key == "standard-mobilenet-v1-from-resnet-32-a0-T2-seed0"


@pytest.mark.parametrize(
    ("alpha", "temperature"),
    [(0.5, None), (None, 4.0), (-1.0, 4.0), (1.1, 4.0), (0.5, 0.0), (0.5, float("inf"))],
)
def test_half_of_them_or_one_out_of_range_is_refused(alpha, temperature):
    planned = PlannedRun("standard", "mobilenet-v1", "resnet-32", seed=0)
    message = f"or neither; received alpha {alpha} and temperature {temperature}"
    with pytest.raises(ValueError, match=message):
        planned.with_distillation(alpha, temperature)


def test_a_taught_run_needs_alpha_and_temperature(phantom):
    with pytest.raises(ValueError, match="seed0 needs alpha and temperature"):
        PlannedRun("standard", "mobilenet-v1", "resnet-32", seed=0).specification(phantom, "data")
    base = PlannedRun("base", "resnet-32", seed=0)
    assert base.specification(phantom, "data") == specification(base, phantom)


def test_an_unknown_loss_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("CHESTKD_BUILD", str(tmp_path))
    study = open_study("smoke")
    with pytest.raises(ValueError, match="unknown loss 'hinge'; allowed: sigmoid, softmax-eq5"):
        study.specification(PlannedRun("base", "resnet-32", seed=0), loss="hinge")
    assert not list(tmp_path.iterdir())
