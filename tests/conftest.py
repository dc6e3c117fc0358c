import os
import sys
from pathlib import Path

import hypothesis
import pytest
from entry_points import REPOSITORY, copy_repository, make_book

sys.path.append(str(REPOSITORY / "benchmarks"))

# A busy machine is slow, not wrong.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real sample; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CHESTKD_SAMPLE", REPOSITORY.parent / "shared"))
    if not (folder / "data" / "chestxray14-sample").is_dir():
        pytest.skip(f"no real radiographs at {folder}; set CHESTKD_SAMPLE to use them")
    return folder


def needs_book(item: pytest.Item) -> bool:
    """Whether a test runs the real entry points on a copy of the repository."""
    return "copy" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, so that a mistake shows early.

    `make test` has two workers, which take group after group: the tests of a file, which share
    what they build, or all that need a whole book. These take longest, so that one worker begins
    with them while the other begins with the fast ones.
    """
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("book" if needs_book(item) else str(item.path)))
    if "PYTEST_XDIST_WORKER" not in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
    else:
        items.sort(key=lambda item: (not needs_book(item), item.path in slow_files))


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """The repository as git sees it, without what was made in it."""
    return copy_repository(tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(scope="session")
def built(copy) -> str:
    """What `make book PRESET=smoke` printed."""
    return make_book(copy, "PRESET=smoke")
