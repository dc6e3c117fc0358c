"""Where an edition comes from: its runs, the machines and packages that made them, its data.

Everything is read from the records of the runs (`run.json`) and from the study. No host name, no
user and no folder of a machine is among it, so that the page can be published.
"""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath

import pandas as pd

from chestkd.pages.edition import stage_seconds
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import PHANTOM, Study
from chestkd.training.store import Run
from chestkd.workspace import duration

_NOT_RUN = "not run"


def command(study: Study, planned: PlannedRun) -> str:
    """The command that makes a run alone, from the repository; data and presets by name only."""
    values: dict[str, str | int | float] = {"preset": PurePath(study.preset_argument).name}
    if study.data != PHANTOM:
        values["data"] = f"path/to/{study.data_folder.name}"
    if study.allow_partial:
        values["allow_partial"] = True
    values |= planned.parameters()
    options = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in values.items())
    notebook = f"notebooks/{planned.strategy}.py"
    return f".venv/bin/papermill {notebook} build/{planned.strategy}.ipynb {options}"


def runs_table(runs: Mapping[PlannedRun, Run | None]) -> pd.DataFrame:
    """One row a planned run: how it ended, when, by which code, where and how long it trained.

    ``finished`` is UTC; ``commit`` ends in `+` where files differed from it; ``seed`` is the one
    that was used, which differs from the title's where a network teaches its own copy.
    """
    rows = []
    for planned, run in runs.items():
        row = dict.fromkeys(("status", "finished", "commit", "environment", "training", "seed"), "")
        row |= {"run": planned.title, "status": _NOT_RUN}
        if run is not None:
            record = run.record
            row |= {
                "status": record["status"],
                "finished": finished(run),
                "commit": str(record["commit"])[:8] + "+" * bool(record["dirty"]),
                "environment": _letters(runs)[_environment(run)],
                "training": duration(record["training_seconds"]),
                "seed": str(record["specification"]["seed"]),
            }
        rows.append(row)
    columns = ["run", "status", "finished", "commit", "environment", "training", "seed"]
    return pd.DataFrame(rows, columns=columns)


def finished(run: Run) -> str:
    """When a run was finished, UTC, to the minute: as recorded, else the time of its record."""
    recorded = run.record.get("finished")
    if recorded is not None:
        moment = datetime.fromisoformat(recorded)
    else:
        moment = datetime.fromtimestamp((run.folder / "run.json").stat().st_mtime, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def environments(runs: Mapping[PlannedRun, Run | None]) -> pd.DataFrame:
    """One column for each environment that made runs, by letter; one row a property."""
    columns = {}
    for environment, letter in _letters(runs).items():
        made = [run for run in runs.values() if run and _environment(run) == environment]
        columns[letter] = {**dict(environment), "runs": str(len(made))}
    table = pd.DataFrame(columns).fillna("")
    return table.rename_axis("environment").reset_index()


def commands(study: Study, runs: Mapping[PlannedRun, Run | None]) -> pd.DataFrame:
    """The command of every planned run, and the name of its folder where it was made."""
    rows = [
        (planned.title, command(study, planned), run.id if run else _NOT_RUN)
        for planned, run in runs.items()
    ]
    return pd.DataFrame(rows, columns=["run", "command", "folder in build/runs"])


def data_table(study: Study) -> pd.DataFrame:
    """What was read, prepared and split: ``what``, ``value``."""
    described = study.describe() | {
        "data fingerprint": study.prepared.dataset.fingerprint,
        "prepared fingerprint": study.prepared.fingerprint,
        "split fingerprint": study.split.fingerprint,
        "split seed": study.split.seed,
    }
    described.pop("fingerprint")
    values = [
        (what, f"{each:,}" if isinstance(each, int) else each) for what, each in described.items()
    ]
    return pd.DataFrame(values, columns=["what", "value"])


def stages_table(folder: Path) -> pd.DataFrame:
    """How long each stage took when it last ran: ``stage``, ``seconds``, ``time``."""
    rows = [(name, seconds, duration(seconds)) for name, seconds in stage_seconds(folder)]
    return pd.DataFrame(rows, columns=["stage", "seconds", "time"])


def _environment(run: Run) -> tuple[tuple[str, str], ...]:
    """What besides the code may change a run's numbers or its time."""
    record = run.record
    machine, packages = record["machine"], record.get("packages", {})
    properties = {
        "backend": record["backend"],
        "device": ", ".join(record["devices"]),
        "processor": machine["processor"],
        "cores": str(machine["cores"]),
        "system": machine["system"],
        "precision": record["specification"]["recipe"]["precision"],
        **packages,
    }
    return tuple(properties.items())


def _letters(runs: Mapping[PlannedRun, Run | None]) -> dict[tuple[tuple[str, str], ...], str]:
    """A, B, C ... for the environments, in the order of the plan."""
    found = dict.fromkeys(_environment(run) for run in runs.values() if run is not None)
    return {environment: chr(ord("A") + index) for index, environment in enumerate(found)}
