"""Promises about the repository itself."""

import ast
import re
import runpy
import subprocess
from pathlib import Path

import pytest
from conftest import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("requirements*.lock"))
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
GUIDES = [REPOSITORY / "README.md", CONTRIBUTING, *sorted((REPOSITORY / "book").glob("*.md"))]
# Files that the examples of book/extend.md create, and the pattern of a name.
NOT_THERE = {"chestkd/networks/tiny.py", "notebooks/early-self.py", "notebooks/NAME.py"}


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


def test_library_modules_are_short():
    long = {
        name: lines
        for name in tracked()
        if name.startswith("chestkd/")
        and name.endswith(".py")
        and (REPOSITORY / name).exists()
        and (lines := len((REPOSITORY / name).read_text(encoding="utf-8").splitlines())) > 250
    }
    assert not long


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_files_that_a_guide_names_exist(guide: Path):
    folders = "chestkd|tests|workflow|benchmarks|notebooks|book"
    text = guide.read_text(encoding="utf-8")
    named = re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]+\.(?:py|md|yaml|sh)\b", text)
    missing = {name for name in named if not (REPOSITORY / name).is_file()}
    assert missing <= NOT_THERE


def defines(name: str) -> bool:
    """Whether the library has this module, function, class or method; nothing is imported."""
    room, module, *attributes = name.split(".")
    path = REPOSITORY / "chestkd" / room / f"{module}.py"
    if not path.is_file():
        return False
    scope: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for attribute in attributes:
        nodes = [node for node in scope.body if getattr(node, "name", None) == attribute]
        if not nodes:
            return False
        scope = nodes[0]
    return True


def test_the_way_of_an_image_leads_through_names_that_exist():
    way = CONTRIBUTING.read_text(encoding="utf-8").split("\n## ")[1]
    assert len(re.findall(r"^\d+\. ", way, re.MULTILINE)) == 10
    named = re.findall(r"`(\w+\.\w+(?:\.\w+)*)`", way.replace("`scores.npz`", ""))
    assert len(named) > 10
    assert [name for name in named if not defines(name)] == []
