"""Promises about the repository itself."""

import re
import runpy
import subprocess

import pytest
from conftest import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("requirements*.lock"))


def tracked() -> list[str]:
    return subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_have_hashes_and_no_address(lock):
    text = lock.read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)
    requirements = re.split(r"\n(?=[a-z0-9])", text)
    assert len(requirements) > 50
    assert all("--hash=sha256:" in requirement for requirement in requirements)


def test_the_jax_lock_has_no_tensorflow():
    (jax,) = [lock.read_text(encoding="utf-8") for lock in LOCKS if "jax" in lock.name]
    assert not re.search(r"^tensorflow", jax, re.MULTILINE)
    assert re.search(r"^jax==", jax, re.MULTILINE)


def test_conda_users_get_the_same_requirements():
    written = (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
    made = runpy.run_path(str(REPOSITORY / "workflow" / "lock.py"))["conda_environment"]()
    assert written == made, "run workflow/lock.py"


def test_the_repository_stays_small():
    large = [
        name
        for name in tracked()
        if not name.startswith("book/")
        and (REPOSITORY / name).exists()
        and (REPOSITORY / name).stat().st_size > 1_000_000
    ]
    assert not large


def test_no_real_radiograph_is_tracked():
    assert not [name for name in tracked() if re.search(r"\d{8}_\d{3}\.png$", name)]


def test_library_modules_hold_one_idea():
    long = {
        name: lines
        for name in tracked()
        if name.startswith("chestkd/")
        and name.endswith(".py")
        and (REPOSITORY / name).exists()
        and (lines := len((REPOSITORY / name).read_text(encoding="utf-8").splitlines())) > 250
    }
    assert not long
