"""Where things lie: the repository, its presets, and the build folder."""

import json
import os
from pathlib import Path
from typing import Any

_MARKER = Path("workflow", "Snakefile")


def root() -> Path:
    """The repository: the nearest folder, from the working one upwards, with a Snakefile.

    Notebooks run from the repository (papermill, Snakemake) or from `notebooks/` (JupyterLab).
    """
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / _MARKER).is_file():
            return folder
    raise FileNotFoundError(f"no {_MARKER} in {here} or above it; run from inside the repository")


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one counts from the repository."""
    return root() / Path(path).expanduser()


def build() -> Path:
    """The folder for everything that is made: `build/`, or the one named by CHESTKD_BUILD."""
    return resolve(os.environ.get("CHESTKD_BUILD", "build"))


def write_atomically(path: Path, content: str) -> None:
    """Write a text file so that a reader, or a kill, sees the old one or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record that people read, too: indented, and no NaN, which JSON does not have."""
    write_atomically(path, json.dumps(record, indent=2, allow_nan=False) + "\n")
