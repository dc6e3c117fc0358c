"""Several GPUs of one machine: the profile, and the script that gives each job its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

WITH_GPU = REPOSITORY / "workflow" / "with-gpu.sh"
PROFILES = REPOSITORY / "workflow" / "profiles"
# Appends `start DEVICE`, works for a moment, appends `end DEVICE`.
WORK = (
    'echo "start $CUDA_VISIBLE_DEVICES" >> log; sleep 0.4; echo "end $CUDA_VISIBLE_DEVICES" >> log'
)


def environment(folder: Path, visible: str | None = None) -> dict[str, str]:
    """This environment with locks in `folder` and these GPUs; None: as nvidia-smi says."""
    values = {**os.environ, "TMPDIR": str(folder)}
    values.pop("CUDA_VISIBLE_DEVICES", None)
    return values if visible is None else {**values, "CUDA_VISIBLE_DEVICES": visible}


def launch(folder: Path, *arguments: str, visible: str | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(WITH_GPU), *arguments],
        cwd=folder,
        env=environment(folder, visible),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output.strip()


def held_at_once(log: str) -> int:
    """The largest number of jobs at work together; fails where two held one GPU."""
    held: set[str] = set()
    most = 0
    for line in log.splitlines():
        event, device = line.split()
        if event == "start":
            assert device not in held, f"GPU {device} was given to two jobs:\n{log}"
            held.add(device)
        else:
            held.remove(device)
        most = max(most, len(held))
    return most


class TestScript:
    SHOW = ("bash", "-c", "echo ${CUDA_VISIBLE_DEVICES-unset}")

    def test_five_jobs_share_two_gpus_one_at_a_time_each(self, tmp_path):
        jobs = [launch(tmp_path, "1", "bash", "-c", WORK, visible="3,5") for _ in range(5)]
        for job in jobs:
            finish(job)
        log = (tmp_path / "log").read_text()
        assert held_at_once(log) == 2
        assert sorted(set(re.findall(r"start (\S+)", log))) == ["3", "5"]
        assert len(log.splitlines()) == 10

    def test_a_killed_job_gives_its_gpu_back(self, tmp_path):
        script = 'echo "$CUDA_VISIBLE_DEVICES"; exec sleep 600'
        first = launch(tmp_path, "1", "bash", "-c", script, visible="0,1")
        second = launch(tmp_path, "1", "bash", "-c", script, visible="0,1")
        try:
            assert first.stdout is not None
            assert second.stdout is not None
            devices = first.stdout.readline(), second.stdout.readline()
            assert sorted(devices) == ["0\n", "1\n"]
            third = launch(tmp_path, "1", *self.SHOW, visible="0,1")
            assert third.stderr is not None
            assert "waiting, GPUs 0,1 are all in use" in third.stderr.readline()
            assert third.poll() is None
            first.send_signal(signal.SIGKILL)
            assert finish(third) == devices[0].strip()
        finally:
            first.kill()
            second.kill()
            first.communicate()
            second.communicate()

    def test_no_gpu_asked_for_leaves_the_command_alone(self, tmp_path):
        assert finish(launch(tmp_path, "0", *self.SHOW)) == "unset"
        assert finish(launch(tmp_path, "0", *self.SHOW, visible="0,1")) == "0,1"

    @pytest.mark.parametrize("visible", ["0", "7", "GPU-8f6f"])
    def test_a_single_visible_gpu_is_taken_without_a_lock(self, tmp_path, visible):
        # Two Slurm jobs on one node both see their own GPU as number 0.
        holder = launch(tmp_path, "1", "sleep", "600", visible=visible)
        try:
            assert finish(launch(tmp_path, "1", *self.SHOW, visible=visible)) == visible
            assert list(tmp_path.iterdir()) == []
        finally:
            holder.kill()
            holder.communicate()

    def test_gpus_are_counted_by_nvidia_smi(self, tmp_path, monkeypatch):
        tool = tmp_path / "nvidia-smi"
        tool.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n'\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        jobs = [launch(tmp_path, "1", *self.SHOW[:2], WORK) for _ in range(3)]
        for job in jobs:
            finish(job)
        assert set(re.findall(r"start (\S+)", (tmp_path / "log").read_text())) <= {"0", "1", "2"}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("1", "true"), "no GPU is visible"),
            (("2", "true"), "0 or 1 GPU, not 2"),
            (("1",), "give 0 or 1 and a command"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path, arguments, message):
        job = launch(tmp_path, *arguments, visible="")
        _, errors = job.communicate(timeout=60)
        assert job.returncode == 1
        assert message in errors

    def test_the_commands_exit_code_is_passed_on(self, tmp_path):
        job = launch(tmp_path, "1", "bash", "-c", "exit 7", visible="0,1")
        job.communicate(timeout=60)
        assert job.returncode == 7


def snakemake(folder: Path, *arguments: str, cwd: Path, visible: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=cwd,
        env={**environment(folder, visible), "CHESTKD_BUILD": str(folder / "build")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def dry_run(folder: Path, *arguments: str) -> str:
    """Every job of preset smoke as Snakemake would run it."""
    return snakemake(
        folder, *arguments, "--dry-run", "--printshellcmds", "--quiet", "host",
        "--config", "preset=smoke", cwd=REPOSITORY,
    )  # fmt: skip


WORKFLOW = """
rule all:
    input:
        expand("{{number}}.done", number=range(5)),

rule run:
    output:
        "{{number}}.done",
    resources:
        gpu=0,
    shell:
        "{script} {{resources.gpu}} bash {work} && touch {{output}}"
"""


def test_the_workstation_profile_holds_as_many_gpus_as_there_are(tmp_path):
    (tmp_path / "work.sh").write_text(WORK)
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(script=WITH_GPU, work=tmp_path / "work.sh"))
    profile = str(PROFILES / "workstation")
    # Five jobs and cores enough for all; three GPUs, of which the sweep may hold two.
    snakemake(
        tmp_path, "--profile", profile, "--cores", "6", "--set-threads", "run=1",
        "--resources", "gpu=2", cwd=tmp_path, visible="0,1,2",
    )  # fmt: skip
    assert held_at_once((tmp_path / "log").read_text()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_a_profile_gives_every_training_run_of_the_workflow_one_gpu(tmp_path, profile):
    printed = dry_run(tmp_path, "--profile", str(PROFILES / profile))
    gpus: dict[str, set[str | None]] = {}
    for job in re.split(r"^(?:local)?rule ", printed, flags=re.MULTILINE)[1:]:
        rule = job.split(":")[0]
        asked = re.search(r"resources: .*gpu=(\d)", job)
        gpus.setdefault(rule, set()).add(asked and asked[1])
        assert ("workflow/with-gpu.sh 1 " in job) == (rule in ("run", "page"))
    assert gpus["run"] == gpus["page"] == {"1"}
    assert gpus["prepare"] == gpus["html"] == {None}


@pytest.mark.slow
def test_without_a_profile_no_gpu_is_asked_for(tmp_path):
    printed = dry_run(tmp_path, "--cores", "2")
    assert set(re.findall(r"gpu=(\d)", printed)) == {"0"}
    assert set(re.findall(r"with-gpu.sh (\d)", printed)) == {"0"}
