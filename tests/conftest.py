import os
import sys
from pathlib import Path

import hypothesis
import pytest
from entry_points import REPOSITORY, copy_repository, make_book

WORKFLOW = "tests/workflow/"

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
    """Fast tests first, so that a mistake shows early.

    Of the two workers of `make test`, one begins with the tests of the workflow, which take
    longest, and the other with the fast ones.
    """
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (scope(item.nodeid) != WORKFLOW, item.path in slow_files))
    else:
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give a worker whole files, whose tests share what they build."""
    from xdist.scheduler import LoadScopeScheduling

    class ByScope(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    return ByScope(config, log)


def scope(nodeid: str) -> str:
    """The file of a test, or the folder of the workflow's, which share a book."""
    file = nodeid.split("::")[0]
    return WORKFLOW if file.startswith(WORKFLOW) else file


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """The repository as git sees it, without what was made in it."""
    return copy_repository(tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(scope="session")
def built(copy) -> str:
    """What `make book PRESET=smoke` printed."""
    return make_book(copy, "PRESET=smoke")
