"""Commands as a user types them, run on a copy of the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def copy_repository(folder: Path) -> Path:
    """Copy the repository as git sees it, without what was made in it, and return the copy."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder


def run(command: list[str], folder: Path, *, fails: bool = False) -> str:
    """Output of a command; the test fails with it where the exit code is not the expected one."""
    # The folder of make's own variables would leak into the inner make.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment.pop("CHESTKD_BUILD", None)
    # The library of the copy comes before the installed one.
    paths = [str(folder), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
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
