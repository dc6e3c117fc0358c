import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


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
