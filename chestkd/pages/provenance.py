"""Where an edition comes from: its runs, the machines and packages that made them, its data.

Everything is read from the records of the runs (`run.json`) and from the study. Hosts, users and
folders are not named, so that the page can be published.
"""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath

import pandas as pd

from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import PHANTOM, Study
from chestkd.training.store import Run
from chestkd.workspace import duration

Runs = Mapping[PlannedRun, Run | None]
Environment = tuple[tuple[str, str], ...]

_NOT_RUN = "not run"


def runs_table(runs: Runs) -> pd.DataFrame:
    """One row a planned run: how it ended, when, by which code, where and how long it trained.

    ``finished`` is UTC; ``commit`` ends in `+` where files differed from it; ``seed`` is the one
    that was used, which differs from the title's where a network teaches its own copy.
    """
    letters = _letters(runs)
    rows = [
        (planned.title, _NOT_RUN, *[""] * 5)
        if run is None
        else (
            planned.title,
            run.record["status"],
            finished(run),
            str(run.record["commit"])[:8] + "+" * bool(run.record["dirty"]),
            letters[_environment(run)],
            duration(run.record["training_seconds"]),
            str(run.record["specification"]["seed"]),
        )
        for planned, run in runs.items()
    ]
    columns = ["run", "status", "finished", "commit", "environment", "training", "seed"]
    return pd.DataFrame(rows, columns=columns)


def finished(run: Run) -> str:
    """When a run finished, in UTC, to the minute: as recorded, or the time of its record."""
    recorded = run.record.get("finished")
    changed = (run.folder / "run.json").stat().st_mtime
    moment = datetime.fromisoformat(recorded) if recorded else datetime.fromtimestamp(changed, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def environments(runs: Runs) -> pd.DataFrame:
    """One column for each environment that made runs, by letter; one row a property."""
    used = [_environment(run) for run in runs.values() if run]
    columns = {
        letter: {**dict(environment), "runs": str(used.count(environment))}
        for environment, letter in _letters(runs).items()
    }
    return pd.DataFrame(columns).fillna("").rename_axis("environment").reset_index()


def _environment(run: Run) -> Environment:
    """What besides the code may change a run's numbers or its time."""
    record = run.record
    machine = record["machine"]
    return (
        ("backend", record["backend"]),
        ("device", ", ".join(record["devices"])),
        ("processor", machine["processor"]),
        ("cores", str(machine["cores"])),
        ("system", machine["system"]),
        ("precision", record["specification"]["recipe"]["precision"]),
        *record.get("packages", {}).items(),
    )


def _letters(runs: Runs) -> dict[Environment, str]:
    """A, B, C ... for the environments, in the order of the plan."""
    used = dict.fromkeys(_environment(run) for run in runs.values() if run)
    return {environment: chr(ord("A") + index) for index, environment in enumerate(used)}


def commands(study: Study, runs: Runs) -> pd.DataFrame:
    """The command of every planned run, and the name of the run's folder once it exists."""
    rows = [
        (planned.title, command(study, planned), run.id if run else _NOT_RUN)
        for planned, run in runs.items()
    ]
    return pd.DataFrame(rows, columns=["run", "command", "folder in build/runs"])


def command(study: Study, planned: PlannedRun) -> str:
    """The command that makes a run alone, from the repository; data and presets by name only."""
    values: dict[str, object] = {"preset": PurePath(study.preset_argument).name}
    if study.data != PHANTOM:
        values["data"] = f"path/to/{study.data_folder.name}"
    if study.allow_partial:
        values["allow_partial"] = True
    values |= planned.parameters()
    options = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in values.items())
    notebook = f"notebooks/{planned.strategy}.py"
    return f".venv/bin/papermill {notebook} build/{planned.strategy}.ipynb {options}"


def data_table(study: Study) -> pd.DataFrame:
    """What was read, prepared and split: ``what``, ``value``."""
    values = study.describe() | {
        "data fingerprint": study.prepared.dataset.fingerprint,
        "prepared fingerprint": study.prepared.fingerprint,
        "split fingerprint": study.split.fingerprint,
        "split seed": study.split.seed,
    }
    del values["fingerprint"]
    rows = [
        (what, f"{value:,}" if isinstance(value, int) else value) for what, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["what", "value"])
