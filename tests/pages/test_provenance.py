import os
from types import SimpleNamespace

import pytest
from fabricated import Fabricated

from chestkd.pages import edition, provenance
from chestkd.study.presets import load


@pytest.fixture
def study(tmp_path) -> Fabricated:
    study = Fabricated(load("smoke"), tmp_path)
    study.preset_argument, study.data, study.allow_partial = "smoke", "phantom", False
    return study


def found(study) -> dict:
    return {planned: study.find(planned) for planned in study.planned()}


def test_a_run_is_listed_with_its_origin(study):
    first, second, *_ = study.planned()
    made = study.add(first, dirty=True, finished="2026-03-01T12:30:59+02:00")
    rows = provenance.runs_table(found(study))
    assert len(rows) == len(study.planned())
    row = rows.iloc[0]
    assert (row["status"], row["commit"], row["seed"]) == ("complete", "01234567+", "0")
    assert (row["finished"], row["training"], row["environment"]) == (
        "2026-03-01 10:30",
        "40 s",
        "A",
    )
    assert rows.iloc[1]["status"] == "not run"
    assert rows.iloc[1]["commit"] == ""
    folders = provenance.commands(study, found(study))["folder in build/runs"]
    assert folders[:2].tolist() == [made.id, "not run"]
    study.add(second)
    assert provenance.runs_table(found(study)).iloc[1]["commit"] == "01234567"


def test_without_a_recorded_time_the_file_tells(study):
    planned = study.planned()[0]
    study.add(planned)
    run = study.find(planned)
    os.utime(run.folder / "run.json", (1_700_000_000, 1_700_000_000))
    assert provenance.finished(run) == "2023-11-14 22:13"


def test_environments_are_told_apart_and_counted(study):
    one, two, three, *_ = study.planned()
    study.add(one, packages={"keras": "3.15.1"})
    study.add(two, packages={"keras": "3.15.1"})
    study.add(three, packages={"keras": "3.16.0"}, backend="tensorflow")
    table = provenance.environments(found(study)).set_index("environment")
    assert table.columns.tolist() == ["A", "B"]
    assert table.loc["runs"].tolist() == ["2", "1"]
    assert table.loc["keras"].tolist() == ["3.15.1", "3.16.0"]
    assert table.loc["backend"].tolist() == ["jax", "tensorflow"]
    letters = provenance.runs_table(found(study))["environment"]
    assert letters[:3].tolist() == ["A", "A", "B"]


def test_commands_name_no_folder_of_the_machine(study, tmp_path):
    taught = next(each for each in study.planned() if each.strategy == "standard")
    assert provenance.command(study, taught) == (
        ".venv/bin/papermill notebooks/standard.py build/standard.ipynb "
        "-p preset smoke -p network resnet-32 -p seed 0 -p teacher mobilenet-v1"
    )
    study.preset_argument = str(tmp_path / "mine.yaml")
    study.data, study.data_folder = str(tmp_path / "my data"), tmp_path / "my data"
    study.allow_partial = True
    text = provenance.command(study, taught)
    assert str(tmp_path) not in text
    assert "-p preset mine.yaml -p data 'path/to/my data' -p allow_partial True" in text
    assert len(provenance.commands(study, found(study))) == len(study.planned())


def test_the_data_by_hand():
    study = SimpleNamespace(
        describe=lambda: {"data": "PHANTOM", "fingerprint": "abc", "images": 2000},
        prepared=SimpleNamespace(fingerprint="abc", dataset=SimpleNamespace(fingerprint="def")),
        split=SimpleNamespace(fingerprint="123", seed=0),
    )
    table = provenance.data_table(study).set_index("what")["value"]
    assert table["images"] == "2,000"
    assert table["prepared fingerprint"] == "abc"
    assert table["data fingerprint"] == "def"
    assert "fingerprint" not in table


def test_stages_come_from_the_workflows_timings(tmp_path):
    assert edition.stages(tmp_path).empty
    (tmp_path / "timings").mkdir()
    for name, seconds in [("data", 3.5), ("claims", 71.0)]:
        (tmp_path / "timings" / f"{name}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    table = edition.stages(tmp_path)
    assert table["stage"].tolist() == ["claims", "data"]
    assert table["time"].tolist() == ["1 min 11 s", "4 s"]
    assert edition.timings(tmp_path).splitlines()[-1].split() == ["all", "1", "min", "14", "s"]
