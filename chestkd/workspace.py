"""Where files are, where numbers come from (commit, packages, machine), and durations in words."""

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from chestkd import __version__

_MARKER = Path("workflow", "Snakefile")
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "pandas", "scikit-learn")


def root() -> Path:
    """The repository: the working folder, or the nearest one above it, with a Snakefile.

    Notebooks run from the repository (papermill, Snakemake) or from `notebooks/` (JupyterLab).
    Raises FileNotFoundError outside a repository.
    """
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / _MARKER).is_file():
            return folder
    raise FileNotFoundError(f"no {_MARKER} in {here} or above it; run from inside the repository")


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one starts at the repository."""
    return root() / Path(path).expanduser()


def build() -> Path:
    """The folder of everything generated: `build/`, or the one that CHESTKD_BUILD names."""
    return resolve(os.environ.get("CHESTKD_BUILD", "build"))


def write_atomically(path: Path, content: str) -> None:
    """Write a text file so that readers, and a kill, see the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record that people also read: indented, and without NaN, which JSON does not have."""
    write_atomically(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def commit() -> dict[str, Any]:
    """The git commit of the repository and whether tracked files differ from it."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root(), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or not a checkout: say so rather than fail
    return done.stdout.strip()


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    versions = {"python": platform.python_version(), "chestkd": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, Any]:
    """Processor, usable cores and operating system; no host name, no user."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [
                line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


def short_commit() -> str:
    """The commit as tables and figures show it: eight digits, and `+` if files differ from it."""
    state = commit()
    if state["commit"] is None:
        return "no git"
    return state["commit"][:8] + ("+" if state["dirty"] else "")


def duration(seconds: float) -> str:
    """Seconds as people write them: "8 s", "3 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
