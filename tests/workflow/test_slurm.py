"""The Slurm profile on a real one-node Slurm that the tests start and stop."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY

from chestkd.training.store import Store

NODE = REPOSITORY / "tests" / "slurm-node.sh"
PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm"
INSTALL = "apt-get install -y slurm-wlm munge"


def missing() -> str | None:
    """Why Slurm cannot run here; None if it can."""
    if not sys.platform.startswith("linux"):
        return "Slurm runs on Linux only"
    if os.geteuid() != 0:
        return "a Slurm node is started by root, and this is another user"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
    absent = [program for program in programs if shutil.which(program, path=path) is None]
    return f"no {', '.join(absent)}; {INSTALL}" if absent else None


MISSING = missing()
needs_slurm = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")


def control(command: str, folder: Path, **options) -> subprocess.CompletedProcess[str]:
    """One command of slurm-node.sh; output goes to files, as daemons would keep pipes open."""
    with (folder.parent / "out").open("w+") as out, (folder.parent / "err").open("w+") as err:
        done = subprocess.run(
            ["bash", str(NODE), command, str(folder)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=120, check=False, **options,
        )  # fmt: skip
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[Path]:
    """The folder of a running node."""
    folder = tmp_path_factory.mktemp("slurm") / "node"
    try:
        started = control("start", folder)
        assert started.returncode == 0, started.stderr
        yield folder
    finally:
        control("stop", folder)


def use(node: Path) -> dict[str, str]:
    """The environment in which Slurm's commands talk to the node."""
    path = f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "SLURM_CONF": str(node / "slurm.conf"), "PATH": path}


def slurm(node: Path, *command: str) -> str:
    """What one of Slurm's commands prints."""
    done = subprocess.run(command, env=use(node), capture_output=True, text=True, check=True)
    return done.stdout


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that name this folder or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in line or (process / "cwd").readlink().is_relative_to(folder):
                found.append(line)
        except OSError:
            continue  # ended in the meantime
    return found


def job_facts(text: str) -> dict[str, str]:
    """The `Key=Value` words that scontrol and the list of ended jobs consist of."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


@needs_slurm
@pytest.mark.slow
class TestNode:
    def test_starts_once_and_stops_whole(self, tmp_path):
        folder = tmp_path / "node"
        try:
            started = control("start", folder)
            assert started.returncode == 0, started.stderr
            assert f"SLURM_CONF={folder}/slurm.conf" in started.stdout
            assert "idle" in control("status", folder).stdout
            again = control("start", folder)
            assert again.returncode == 1
            assert "runs already; stop it first" in again.stderr
            assert "is UP" in slurm(folder, "scontrol", "ping")
            # A helper that was just forked may have no command line yet.
            programs = {
                line.split()[0].rstrip(":") for line in processes_of(folder) if line.strip()
            }
            assert programs >= {"munged", "slurmctld", "slurmd"}
            slurm(
                folder, "sbatch", "--output=/dev/null", "--chdir", str(folder), "--wrap=sleep 600"
            )
            while "RUNNING" not in slurm(folder, "squeue", "--format=%T"):
                time.sleep(0.2)
        finally:
            assert control("stop", folder).returncode == 0
        assert processes_of(folder) == []
        assert "does not run" in control("status", folder).stderr
        assert control("stop", folder).returncode == 0

    def test_leaves_a_foreign_folder_alone(self, tmp_path):
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "hosts").write_text("")
        refused = control("start", tmp_path / "etc")
        assert refused.returncode == 1
        assert "holds other files" in refused.stderr
        assert [path.name for path in (tmp_path / "etc").iterdir()] == ["hosts"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Slurm runs on Linux only")
class TestRefusals:
    def test_without_slurm_the_way_to_it_is_named(self, tmp_path):
        tools = tmp_path / "bin"
        tools.mkdir()
        for tool in ("bash", "id", "realpath"):
            (tools / tool).symlink_to(shutil.which(tool) or tool)
        refused = control("start", tmp_path / "node", env={"PATH": str(tools)})
        assert refused.returncode == 1
        assert INSTALL in refused.stderr
        assert not (tmp_path / "node").exists()

    @needs_slurm
    def test_without_root_it_does_not_start(self, tmp_path):
        # `nobody` may not read the repository: the script comes through the standard input.
        refused = subprocess.run(
            ["bash", "-s", "start", "/tmp/no-such-node"],
            input=NODE.read_text(), user="nobody", cwd="/",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "start needs root" in refused.stderr
        assert not Path("/tmp/no-such-node").exists()

    def test_a_wrong_command_shows_the_usage(self, tmp_path):
        wrong = control("restart", tmp_path / "node")
        assert wrong.returncode == 2
        assert "slurm-node.sh start FOLDER" in wrong.stderr


def sweep(node: Path, build: Path, preset: str, retries: int, *targets: Path) -> subprocess.Popen:
    """Snakemake with the profile unchanged, except that it polls often and keeps its logs here."""
    logs = build.parent / "logs"
    return subprocess.Popen(
        [
            sys.executable, "-m", "snakemake", "--profile", str(PROFILE),
            "--config", f"preset={preset}",
            "--slurm-init-seconds-before-status-checks", "3", "--retries", str(retries),
            "--slurm-keep-successful-logs", "--slurm-logdir", str(logs),
            "--latency-wait", "5", "--", *map(str, targets),
        ],
        cwd=REPOSITORY,
        env={**use(node), "CHESTKD_BUILD": str(build)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ended_jobs(node: Path) -> dict[str, dict[str, str]]:
    """Finished jobs by id, from Slurm's own list, as there is no accounting."""
    found = [job_facts(line) for line in (node / "jobs.txt").read_text().splitlines()]
    return {job["JobId"]: job for job in found}


def submitted_jobs(printed: str) -> list[str]:
    return re.findall(r"has been submitted with SLURM jobid (\d+)", printed)


@needs_slurm
@pytest.mark.slow
def test_a_run_that_is_cut_off_on_slurm_is_resumed(node, tmp_path):
    build, preset = tmp_path / "build", tmp_path / "longer.yaml"
    smoke = (REPOSITORY / "workflow" / "presets" / "smoke.yaml").read_text(encoding="utf-8")
    preset.write_text(smoke.replace("epochs: 2", "epochs: 40"), encoding="utf-8")
    key = "base-resnet-32-seed0"
    notebook = build / "longer" / "runs" / f"{key}.ipynb"
    started = sweep(node, build, str(preset), 1, notebook)
    deadline = time.monotonic() + 300
    while not list(build.glob("runs/*.partial/checkpoint.npz")):
        assert started.poll() is None, started.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (running,) = slurm(node, "squeue", "--noheader", "--format=%i").split()
    slurm(node, "scancel", running)
    printed, _ = started.communicate(timeout=900)
    assert started.returncode == 0, printed

    ended = ended_jobs(node)
    prepared, canceled, again = [ended[job] for job in submitted_jobs(printed)]
    assert canceled["JobId"] == running
    assert canceled["JobState"].startswith("CANCELLED")
    assert (prepared["JobState"], again["JobState"]) == ("COMPLETED", "COMPLETED")
    assert all(job["Name"].startswith("chestkd_") for job in ended.values())
    assert (prepared["ProcCnt"], again["ProcCnt"]) == ("16", "8")
    shown = {
        job["JobId"]: job_facts(slurm(node, "scontrol", "show", "job", job["JobId"]))
        for job in (prepared, again)
    }
    assert shown[prepared["JobId"]]["Comment"] == "rule_prepare"
    assert "TresPerJob" not in shown[prepared["JobId"]]
    assert shown[again["JobId"]]["Comment"] == f"rule_run_wildcards_{key}"
    assert shown[again["JobId"]]["TresPerJob"].endswith("gpu:1")

    # The second job resumed where the first was cut off, and wrote the record.
    (run,) = Store(build / "runs").runs()
    assert list(run.history()["epoch"]) == list(range(1, 41))
    logs = tmp_path / "logs" / "rule_run" / key
    first_epochs = [
        int(re.findall(r"epoch (\d+)/40: loss", (logs / f"{job['JobId']}.log").read_text())[0])
        for job in (canceled, again)
    ]
    assert first_epochs[0] == 1 < first_epochs[1]
    written = pd.Timestamp.fromtimestamp((run.folder / "run.json").stat().st_mtime)
    assert pd.Timestamp(again["StartTime"]) <= written
    assert written <= pd.Timestamp(again["EndTime"]) + pd.Timedelta(seconds=1)
    assert notebook.is_file()
