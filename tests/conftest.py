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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, so that a mistake shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """The repository as git sees it, without what was made in it."""
    return copy_repository(tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(scope="session")
def built(copy) -> str:
    """What `make book PRESET=smoke` printed."""
    return make_book(copy, "PRESET=smoke")
