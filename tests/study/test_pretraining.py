"""Pre-training: a study of its own, on patients of its own, from whose runs others start."""

import dataclasses
from types import SimpleNamespace

import pytest

from chestkd import __main__
from chestkd.phantom.anatomy import draw_anatomy
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream
from chestkd.study import presets
from chestkd.study.planned_runs import PlannedRun, planned_runs
from chestkd.study.presets import Preset
from chestkd.study.study import Study, open_study
from chestkd.training.specification import Start

STARTS = {"mobilenet-v1": Start("base-mobilenet-v1-seed0-0123456789", dense=False)}


@pytest.fixture(scope="module")
def smoke() -> Preset:
    return presets.load("smoke")


@pytest.fixture(scope="module")
def whole_paper() -> Preset:
    return presets.load("paper-small")


def specification(planned: PlannedRun, preset: Preset, starts=STARTS):
    return planned.specification(preset, "data", alpha=0.5, temperature=4.0, starts=starts)


def test_it_is_base_training_of_its_networks_on_its_phantom(smoke):
    own = smoke.pretraining_preset
    assert own.phantom == smoke.pretraining.phantom
    assert (own.size, own.split, own.networks) == (32, "official", ("mobilenet-v1",))
    assert [run.key for run in planned_runs(own)] == ["base-mobilenet-v1-seed0"]
    assert own.recipe_of("mobilenet-v1").epochs == 1
    assert own.pretraining_preset is None
    assert presets.load("quick").pretraining_preset is None


def test_its_recipes_are_completed_from_its_own(whole_paper):
    own = whole_paper.pretraining_preset
    assert own.recipe_of("vgg-19").drops == own.recipe.drops == (0.5, 0.75)
    assert own.recipe_of("vgg-19").rate == 0.08


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phantom": PhantomSpecification(images=160, size=32, seed=0)}, "both are 0"),
        ({"networks": ("vgg-19",)}, "pretraining: 'vgg-19' is not in networks"),
        ({"recipes": {"vgg-19": presets.Recipe(1)}}, "pretraining: 'vgg-19' is not in networks"),
    ],
)
def test_mistakes_are_refused(smoke, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(smoke, pretraining=dataclasses.replace(smoke.pretraining, **changes))


def test_weights_and_pretraining_exclude_each_other(smoke):
    with pytest.raises(ValueError, match="weights or pretraining, not both"):
        dataclasses.replace(smoke, weights="imagenet")


@pytest.mark.parametrize("name", ["smoke", "paper-small"])
def test_its_patients_are_not_the_studys(name):
    preset = presets.load(name)

    def patients(phantom):
        """The chests of all patients, as if all had one sex and age."""
        streams = [
            open_stream(phantom.seed, Stream.ANATOMY, number)
            for number in sorted(set(draw_plan(phantom).patient.tolist()))
        ]
        return {dataclasses.astuple(draw_anatomy(stream, True, 50.0)) for stream in streams}

    own, theirs = patients(preset.phantom), patients(preset.pretraining.phantom)
    assert len(own) > 20
    assert own.isdisjoint(theirs)
    # Drawn again, they are the same patients: the comparison can fail.
    assert own == patients(preset.phantom)


def test_runs_start_where_their_network_was_pre_trained(smoke):
    for planned in planned_runs(smoke):
        made = specification(planned, smoke)
        assert made.start == STARTS.get(planned.network)
    student = PlannedRun("base", "resnet-32", seed=0)
    assert specification(student, smoke) == specification(student, smoke, {})


def test_another_start_is_another_run_and_so_are_those_that_it_teaches(smoke):
    others = {"mobilenet-v1": dataclasses.replace(STARTS["mobilenet-v1"], run="base-other")}
    changed = {
        planned.key
        for planned in planned_runs(smoke)
        if specification(planned, smoke).id != specification(planned, smoke, others).id
    }
    assert changed == {
        planned.key
        for planned in planned_runs(smoke)
        if "mobilenet-v1" in (planned.network, planned.teacher)
    }


def test_a_change_of_the_pretraining_changes_what_starts_from_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CHESTKD_BUILD", str(tmp_path / "build"))
    text = (presets.workspace.resolve(presets.FOLDER) / "smoke.yaml").read_text(encoding="utf-8")
    assert "  recipe:\n    epochs: 1\n" in text
    longer = tmp_path / "smoke.yaml"
    longer.write_text(
        text.replace("  recipe:\n    epochs: 1\n", "  recipe:\n    epochs: 2\n"), encoding="utf-8"
    )
    studies = [open_study("smoke"), open_study(str(longer))]
    for study in studies:
        object.__setattr__(study, "progress", False)
    pretrained, student = (
        [study.specification(PlannedRun("base", name, seed=0)) for study in studies]
        for name in ("mobilenet-v1", "resnet-32")
    )
    assert student[0] == student[1]
    assert student[0].start is None
    assert pretrained[0].id != pretrained[1].id
    before = studies[0].pretraining
    assert pretrained[0].start.run == before.specification(before.planned()[0]).id
    assert before.data_folder != studies[0].data_folder
    assert studies[0].caption().split(" · ")[2] == (
        "pre-trained on PHANTOM (plain), except ResNet-32"
    )
    described = studies[0].describe()
    assert described["pre-training: images"] == described["images"] == 160


def test_seeds_of_a_student_are_taught_by_the_teachers_of_the_first(whole_paper):
    runs = [run for run in planned_runs(whole_paper) if run.seed == 3]
    assert [run.key for run in runs] == [
        "base-resnet-32-seed3",
        "standard-resnet-32-from-densenet-121-seed3",
        "standard-resnet-32-from-resnet-152-seed3",
        "defective-resnet-32-from-densenet-121-seed3",
        "defective-resnet-32-from-resnet-152-seed3",
        "self-training-resnet-32-seed3",
    ]
    teachers = [run.teacher_run(whole_paper) for run in runs]
    assert [teacher.key for teacher in teachers if teacher] == [
        "base-densenet-121-seed0",
        "base-resnet-152-seed0",
        "base-densenet-121-seed0",
        "base-resnet-152-seed0",
        "base-resnet-32-seed3",
    ]
    assert len(set(map(dataclasses.astuple, runs))) == len(runs)


@pytest.mark.parametrize("seeds", [{"resnet-152": (1,)}, {"resnet-32": (0, 1)}])
def test_wrong_seeds_of_students_are_refused(whole_paper, seeds):
    with pytest.raises(ValueError, match="student_seeds must name students and seeds that are not"):
        dataclasses.replace(whole_paper, student_seeds=seeds)


def test_one_command_makes_every_run_after_those_that_it_needs(smoke, monkeypatch, capsys):
    made = []

    def make(study, specification):
        made.append((study.preset.name, specification))
        return SimpleNamespace(record={"validation_auc": None if len(made) == 2 else 0.625})

    monkeypatch.setattr(Study, "make", make)
    monkeypatch.setattr(Study, "specification", lambda study, planned: planned.key)
    assert __main__.main(["train", "--preset", "smoke"]) == 0
    keys = [planned.key for planned in planned_runs(smoke)]
    assert made == [
        ("smoke-pretraining", "base-mobilenet-v1-seed0"),
        *(("smoke", key) for key in keys),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(keys) + 1
    assert lines[0].startswith(f"1 of {len(lines)} runs, ")
    assert lines[0].endswith("Base training: MobileNet-v1, seed 0: validation AUC 0.6250")
    assert lines[1].endswith("Base training: ResNet-32, seed 0: diverged")
    made.clear()
    assert __main__.main(["train", "--preset", "smoke", "--networks", "resnet-32"]) == 0
    assert made == [
        ("smoke", key) for key in keys if "mobilenet" not in key and key.endswith("seed0")
    ]
    assert __main__.main(["train", "--preset", "smoke", "--networks", "vgg-19"]) == 1
    assert "--networks: preset smoke has no vgg-19" in capsys.readouterr().err
