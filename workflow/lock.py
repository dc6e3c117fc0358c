"""Renew the lock files and environment.yml from pyproject.toml: `python workflow/lock.py`.

Needs uv (`pip install uv`). The locks contain hashes and no index address.
"""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = {
    "requirements.lock": ["tensorflow", "book", "notebooks", "workflow", "lab", "dev"],
    # For `make test BACKEND=jax`: everything but TensorFlow and JupyterLab.
    "requirements-jax.lock": ["jax", "book", "notebooks", "workflow", "dev"],
}
CONDA = """\
# For conda users: the pins of pyproject.toml, with TensorFlow for NVIDIA GPUs.
# Written by workflow/lock.py.
#     conda env create -f environment.yml && conda activate chestkd && pip install --no-deps -e .
name: chestkd
channels: [conda-forge]
dependencies:
  - python=3.12
  - pip
  - pip:
"""


def lock(name: str, extras: list[str]) -> None:
    """Resolve pyproject.toml with some extras for Python 3.11 and later on any system."""
    chosen = [option for extra in extras for option in ("--extra", extra)]
    subprocess.run(
        [
            "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
            "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header",
            "pyproject.toml", *chosen, "--output-file", name,
        ],
        cwd=ROOT, check=True,
    )  # fmt: skip


def conda_environment() -> str:
    """Content of environment.yml: every direct requirement, TensorFlow with its CUDA libraries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in LOCKS["requirements.lock"]:
        requirements += project["optional-dependencies"][extra]
    lines = []
    for requirement in requirements:
        if requirement.startswith("tensorflow-cpu"):
            continue
        if requirement.startswith("tensorflow=="):
            requirement = requirement.split(";")[0].replace("tensorflow", "tensorflow[and-cuda]")
        lines.append(f'      - "{requirement}"\n')
    return CONDA + "".join(lines)


if __name__ == "__main__":
    for name, extras in LOCKS.items():
        lock(name, extras)
    (ROOT / "environment.yml").write_text(conda_environment(), encoding="utf-8")
