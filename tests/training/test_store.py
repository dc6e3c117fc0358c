import dataclasses
import json

import pytest

from chestkd.training import specification
from chestkd.training.specification import Recipe, RunSpecification, Teaching
from chestkd.training.store import Store

BASE = RunSpecification("base", "resnet-32", "d" * 64, 32, "official", Recipe(epochs=8))


def test_a_specification_survives_json():
    taught = dataclasses.replace(BASE, teaching=Teaching("base-x", "densenet-121", defective=True))
    for asked in (BASE, taught):
        values = json.loads(json.dumps(asked.as_dict()))
        assert RunSpecification.from_dict(values) == asked
        assert RunSpecification.from_dict(values).id == asked.id


def test_everything_that_changes_the_numbers_changes_the_id():
    others = [
        dataclasses.replace(BASE, seed=1),
        dataclasses.replace(BASE, data="e" * 64),
        dataclasses.replace(BASE, split_seed=1),
        dataclasses.replace(BASE, weights="imagenet"),
        BASE.with_recipe(epochs=9),
        BASE.with_recipe(rate=0.05),
        dataclasses.replace(BASE, teaching=Teaching("t", "vgg-19")),
        dataclasses.replace(BASE, teaching=Teaching("t", "vgg-19", temperature=2.0)),
    ]
    ids = {each.id for each in (BASE, *others)}
    assert len(ids) == len(others) + 1
    assert BASE.id.startswith("base-resnet-32-seed0-")
    assert others[-1].id.startswith("base-resnet-32-from-vgg-19-seed0-")


def test_a_shorter_epoch_is_part_of_the_id_and_none_is_not():
    recipe = Recipe(epochs=2, batch_size=16)
    assert (recipe.steps_per_epoch(100), recipe.steps_per_epoch(10)) == (6, 1)
    shorter = dataclasses.replace(recipe, epoch_images=40)
    assert (shorter.steps_per_epoch(100), shorter.steps_per_epoch(20)) == (2, 1)
    assert "epoch_images" not in BASE.as_dict()["recipe"]
    asked = BASE.with_recipe(epoch_images=400)
    assert asked.id != BASE.id
    assert RunSpecification.from_dict(asked.as_dict()) == asked
    for wrong in (0, -1, 15):
        with pytest.raises(ValueError, match="epoch_images must be at least"):
            dataclasses.replace(recipe, epoch_images=wrong)


def test_the_library_version_of_the_numerics_changes_the_id(monkeypatch):
    before = BASE.id
    monkeypatch.setattr(specification, "NUMERICS_VERSION", specification.NUMERICS_VERSION + 1)
    assert BASE.id != before


def test_none_leaves_the_recipe_as_it_is():
    assert BASE.with_recipe(epochs=None, rate=None) == BASE


@pytest.mark.parametrize(("epochs", "defective"), [(200, 50), (8, 2), (3, 1), (1, 1)])
def test_the_defective_teacher_is_a_quarter_of_the_way_through(epochs, defective):
    assert Recipe(epochs=epochs).defective_epoch == defective


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"rate": float("nan")}, "rate must not be negative"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"drops": (0.3, 1.2)}, "drops must lie in"),
        ({"precision": "float16"}, "precision must be float32 or bfloat16"),
    ],
)
def test_recipes_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"epochs": 1, **changes})


def test_the_store_shows_whole_runs_only(tmp_path):
    store = Store(tmp_path)
    with store.working_folder("a") as folder:
        (folder / "run.json").write_text('{"id": "a", "status": "complete"}')
        assert "a" not in store
        assert store.runs() == []
        with pytest.raises(KeyError, match="no run a in"):
            store.load("a")
        store.publish("a")
    assert "a" in store
    assert [run.id for run in store.runs()] == ["a"]
    with pytest.raises(FileNotFoundError, match=r"run a \(complete\) has no selected"):
        store.load("a").weights()


def test_a_kill_keeps_the_working_folder(tmp_path):
    store = Store(tmp_path)

    def killed_half_way():
        with store.working_folder("a") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed_half_way()
    with store.working_folder("a") as folder:
        assert (folder / "half").read_text() == "x"
