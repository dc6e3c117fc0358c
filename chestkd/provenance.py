"""Where numbers come from: code version, packages, machine."""

import os
import platform
import subprocess
from importlib import metadata
from typing import Any

from chestkd import __version__, workspace

_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "pandas", "scikit-learn")


def commit() -> dict[str, Any]:
    """The git commit of the repository and whether tracked files differ from it."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=workspace.root(), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or not a checkout: say so rather than fail
    return done.stdout.strip()


def packages() -> dict[str, str]:
    """Versions of the packages that the numbers depend on, and of Python."""
    versions = {"python": platform.python_version(), "chestkd": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, Any]:
    """Processor, cores in use and operating system; no host name, no user."""
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
    """The commit as tables and figures carry it: eight digits, `+` where files differ."""
    state = commit()
    if state["commit"] is None:
        return "no git"
    return state["commit"][:8] + ("+" if state["dirty"] else "")
