from dataclasses import dataclass

import pytest

from chestkd.study import presets
from chestkd.study.planned_runs import planned_runs
from chestkd.training.checked_dataclasses import from_mapping


@dataclass(frozen=True)
class Inner:
    count: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    names: tuple[str, ...] = ()
    limit: int | None = None

    def __post_init__(self):
        if self.name == "":
            raise ValueError("name must not be empty")


def test_nested_values_are_converted():
    values = {"name": "a", "inner": {"count": 2, "share": 1}, "names": ["x"], "limit": None}
    assert from_mapping(Outer, values, "f") == Outer("a", Inner(2, 1.0), ("x",), None)
    assert type(from_mapping(Inner, {"count": 2, "share": 1}, "f").share) is float


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "a"}, "f: missing key 'inner'"),
        (
            {"name": "a", "inner": {"cuont": 1}},
            "f: inner: unknown key 'cuont'; allowed: count, share",
        ),
        ({"name": "a", "inner": {"count": "1"}}, "f: inner: count: expected int, received '1'"),
        ({"name": "a", "inner": {"count": True}}, "f: inner: count: expected int, received True"),
        (
            {"name": "a", "inner": {"count": 1, "share": "5e-4"}},
            r"f: inner: share: expected float, received '5e-4' \(YAML reads 5e-4 as text",
        ),
        ({"name": "a", "inner": 3}, "f: inner: expected a mapping, received 3"),
        ({"name": "a", "inner": {"count": 1}, "names": "x"}, "f: names: expected a list"),
        ({"name": "a", "inner": {"count": 1}, "names": [1]}, r"f: names\[0\]: expected str"),
        ({"name": "a", "inner": {"count": 1}, "limit": 1.5}, "f: limit: expected int"),
        ({"name": "", "inner": {"count": 1}}, "f: name must not be empty"),
    ],
)
def test_mistakes_are_named(values, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        from_mapping(Outer, values, "f")


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_shipped_presets_load_and_plan_each_run_once(name):
    preset = presets.load(name)
    keys = [run.key for run in planned_runs(preset)]
    assert preset.name == name
    assert len(keys) == len(set(keys)) >= 1


def write_preset(folder, **changes):
    path = folder / "mine.yaml"
    text = (presets.workspace.resolve(presets.FOLDER) / "smoke.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def test_a_preset_may_be_any_file(tmp_path):
    preset = presets.load(write_preset(tmp_path, **{"epochs: 2": "epochs: 3"}))
    assert (preset.name, preset.recipe.epochs) == ("mine", 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs:", "epoch:", "mine.yaml: recipe: unknown key 'epoch'; allowed: epochs"),
        ("epochs: 2", "epochs: 0", "mine.yaml: recipe: epochs must be at least 1, not 0"),
        ("resnet-32", "resnet-33", "unknown network 'resnet-33'; allowed: mobilenet-v1"),
        ("seeds: [0]", "seeds: [0, 0]", "seeds must be a list without repetitions"),
        ("images: 160", "images: -1", "images must be 1 or more"),
        ("purpose:", "purpose: [", "not YAML"),
    ],
)
def test_a_wrong_preset_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        presets.load(write_preset(tmp_path, **{old: new}))


def test_an_unknown_preset_lists_those_that_exist():
    with pytest.raises(FileNotFoundError, match=r"no preset 'quik'.*there are:.*quick, smoke"):
        presets.load("quik")
