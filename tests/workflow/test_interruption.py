"""A sweep that is killed again and again ends in the same table as an undisturbed one."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest

from chestkd.training.store import Run, Store

pytestmark = pytest.mark.slow

# What differs between two sweeps although the numbers are the same.
_CLOCK = ["seconds", "images_per_second"]
_KILLS = 5


def start(repository: Path, build: Path) -> subprocess.Popen[str]:
    """The sweep of preset `smoke` up to Table 1, in a process group of its own."""
    command = [
        str(Path(sys.prefix, "bin", "snakemake")), "--snakefile", "workflow/Snakefile",
        "--cores", "2", "--nolock", "--rerun-incomplete", "--config", "preset=smoke", "--",
        str(build / "smoke" / "pages" / "table-1.ipynb"),
    ]  # fmt: skip
    with (build.parent / f"{build.name}.log").open("a") as log:
        return subprocess.Popen(
            command, cwd=repository, env={**os.environ, "CHESTKD_BUILD": str(build)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip


def kill_at_random(repository: Path, build: Path, generator: random.Random) -> bool:
    """Start a sweep and kill it some seconds later; whether it was still running."""
    sweep = start(repository, build)
    try:
        sweep.wait(timeout=generator.uniform(5, 25))
    except subprocess.TimeoutExpired:
        os.killpg(sweep.pid, signal.SIGKILL)
        sweep.wait()
        return True
    return False


def table(build: Path) -> str:
    """Table 1 as the page's CSV link gives it."""
    notebook = nbformat.read(build / "smoke" / "pages" / "table-1.ipynb", as_version=4)
    pages = "".join(
        output.get("data", {}).get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    (link,) = re.findall(
        r'download="table-1\.csv" href="data:text/csv;charset=utf-8,([^"]*)"', pages
    )
    return unquote(link)


def assert_same(run: Run, other: Run) -> None:
    ours, theirs = run.history(), other.history()
    assert ours.drop(columns=_CLOCK).equals(theirs.drop(columns=_CLOCK)), run.id
    ours, theirs = run.scores(), other.scores()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs), run.id
    assert run.weights().read_bytes() == other.weights().read_bytes(), run.id


def test_a_killed_sweep_ends_in_the_same_table(copy, built, tmp_path):
    undisturbed, killed = copy / "build", tmp_path / "killed"
    generator = random.Random(0)
    kills = sum(kill_at_random(copy, killed, generator) for _ in range(_KILLS))
    assert kills >= _KILLS // 2
    time.sleep(3)  # a kernel takes a second to notice that its parent is gone
    code = start(copy, killed).wait(timeout=900)
    assert code == 0, (tmp_path / "killed.log").read_text()[-4000:]

    assert table(killed) == table(undisturbed)
    expected = Store(undisturbed / "runs").runs()
    found = Store(killed / "runs").runs()
    # Other pages of the book train runs of their own.
    assert len(found) == 8  # with that of pre-training
    assert {run.id for run in found} <= {run.id for run in expected}
    others = {run.id: run for run in expected}
    for run in found:
        assert_same(run, others[run.id])
    assert not list((killed / "runs").glob("*.partial"))
