"""Commands as a user types them, run on a copy of the repository."""

import os
import subprocess
import sys
from pathlib import Path


def run(command: list[str], folder: Path, *, fails: bool = False) -> str:
    """Output of a command; the test fails with it where the exit code is not the expected one."""
    # The folder of make's own variables would leak into the inner make.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment.pop("CHESTKD_BUILD", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout[-6000:]
    return done.stdout


def make_book(folder: Path, *variables: str, fails: bool = False) -> str:
    installed = f"{sys.prefix}/installed"
    options = ["-o", installed, f"VENV={sys.prefix}", *variables]
    return run(["make", *options, "book"], folder, fails=fails)
