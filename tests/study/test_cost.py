"""What a preset costs, stage by stage, from measured speeds."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from fabricated import Fabricated

from chestkd.__main__ import main
from chestkd.study import cost, presets
from chestkd.study.cost import Speed
from chestkd.study.planned_runs import PlannedRun, planned_runs
from chestkd.study.presets import Distillation
from chestkd.training.specification import Recipe

PRESET = dataclasses.replace(
    presets.load("smoke"),
    recipe=Recipe(epochs=2, batch_size=16),
    distillation=Distillation(),
    image_wise=(),
)
IMAGES = {"train": 40, "validation": 12, "test": 30}
SPEEDS = {"resnet-32": Speed(10.0, 5.0, ""), "mobilenet-v1": Speed(4.0, 7.0, "")}


@pytest.mark.parametrize(
    ("batch", "images", "expected"),
    [(16, 40, (4, 64)), (16, 32, (4, 64)), (64, 40, (2, 80)), (1, 3, (6, 6))],
)
def test_the_last_images_of_an_epoch_are_left_out(batch, images, expected):
    assert cost.run_size(Recipe(epochs=2, batch_size=batch), images) == expected


def test_stages_by_hand():
    stages = cost.stages(PRESET, planned_runs(PRESET), IMAGES, SPEEDS)
    # 64 training images, and (2 x 12 + 30) / 3 = 18 more for forward passes.
    resnet, mobilenet = 5 + 82 / 10, 7 + 82 / 4
    base = stages.loc["Base training"]
    assert (base.runs, base.images, base.steps) == (2, 128, 8)
    assert base.seconds == pytest.approx(resnet + mobilenet)
    assert stages.loc["Reversed distillation", "seconds"] == pytest.approx(mobilenet)
    # Three teachers: MobileNet-v1, its early epoch, ResNet-32; 80 / 3 images each.
    outputs = stages.loc["teachers' outputs, stored once"]
    assert outputs.runs == 3
    assert outputs.seconds == pytest.approx(80 / 3 * (2 / 4 + 1 / 10))
    assert not stages["unknown"].any()
    assert cost.report(stages).count("unknown") == 0


def test_what_is_not_known_is_not_guessed():
    stages = cost.stages(PRESET, planned_runs(PRESET), IMAGES, {"resnet-32": SPEEDS["resnet-32"]})
    base, standard = stages.iloc[0], stages.iloc[1]
    assert np.isnan(base.seconds)
    assert base.unknown == "mobilenet-v1"
    assert standard.seconds == pytest.approx(5 + 8.2)
    text = cost.report(stages)
    assert "unknown: no speed of mobilenet-v1" in text
    assert text.splitlines()[-1].endswith("and what is unknown")
    assert cost.report(stages[:1]).splitlines()[-1].endswith("unknown")


def test_the_grid_is_a_stage_of_its_own():
    grid = dataclasses.replace(PRESET, distillation=Distillation(alpha=(0.1, 0.9)))
    stages = cost.stages(grid, planned_runs(grid), IMAGES, {})
    assert stages.loc["grid over alpha and temperature", "runs"] == 2
    assert stages.loc["Standard distillation", "runs"] == 1


def test_a_network_is_counted_by_its_own_recipe():
    own = dataclasses.replace(PRESET, recipes={"resnet-32": Recipe(epochs=5, batch_size=16)})
    stages = cost.stages(own, [PlannedRun("base", "resnet-32", seed=0)], IMAGES, {})
    assert stages["steps"].tolist() == [10]


def test_speeds_come_from_comparable_runs_on_this_hardware(tmp_path):
    study = Fabricated(PRESET, tmp_path)
    here = "NVIDIA H200, jax, float32"
    run = study.add(PlannedRun("base", "resnet-32", seed=0), seconds=(25.0, 10.0, 10.0))
    elsewhere = dataclasses.replace(run, seed=7)
    study.write(elsewhere, seconds=(9.0, 1.0, 1.0), devices=["cpu"])
    for other in (
        dataclasses.replace(run, size=64),
        run.with_recipe(batch_size=8),
        run.with_recipe(precision="bfloat16"),
        dataclasses.replace(run, network="vgg-19"),
    ):
        study.write(other, seconds=(1.0, 1.0, 1.0))
    study.write(dataclasses.replace(run, seed=8), seconds=(3.0,))  # one epoch: no speed

    def speeds(networks: list[str], hardware: str) -> dict[str, Speed]:
        return cost.recorded_speeds(study.store.runs(), PRESET, networks, lambda _: hardware)

    expected = Speed(100.0, 15.0, f"median of 1 run on {here}")
    assert speeds(list(PRESET.networks), here) == {"resnet-32": expected}
    cpu = "AMD EPYC, 2 cores, jax, float32"
    expected = Speed(1000.0, 8.0, f"median of 1 run on {cpu}")
    assert speeds(list(PRESET.networks), cpu) == {"resnet-32": expected}
    assert speeds(list(PRESET.networks), "another") == {}
    assert speeds(["mobilenet-v1"], here) == {}


def test_the_command_counts_before_anything_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CHESTKD_BUILD", str(tmp_path))
    assert main(["plan", "--preset", "smoke", "--runs"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("base-resnet-32-seed0\n")
    assert "7 runs of 2 epochs at 32 px, 0 of them made" in text
    assert "160 images to draw and to decode to 32 px" in text
    assert "unknown: no speed of resnet-32, mobilenet-v1" in text
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_is_wrong(capsys):
    assert main(["plan", "--preset", "smoke", "--data", "no/such/folder"]) == 1
    assert "no folder" in capsys.readouterr().err


def test_counting_and_recorded_speeds_need_no_keras():
    code = "import sys, chestkd.study.cost; assert not {'keras', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_speed_can_be_measured():
    recipe = Recipe(epochs=1, batch_size=4)
    speed = cost.measured_speed("resnet-32", 32, recipe, seconds=0.1)
    assert speed.images_per_second > 0
    assert np.isfinite(speed.startup_seconds)
    assert cost.hardware_here("float32").endswith(", float32")
    assert cost.hardware_here("float32") in speed.basis
