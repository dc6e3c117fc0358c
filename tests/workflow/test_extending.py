"""The worked examples of book/extend.md, executed in a copy of the repository."""

import re
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from entry_points import REPOSITORY, copy_repository, run

PAGE = REPOSITORY / "book" / "extend.md"
# A fenced block: its language, its caption where it has one, and its text.
BLOCK = re.compile(
    r"^```(?:\{code-block\} )?(?P<language>\w+)\n"
    r"(?::caption: (?P<caption>[^\n]*)\n)?(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)

pytestmark = pytest.mark.slow


def blocks() -> list[re.Match]:
    return list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy that the examples may change."""
    return copy_repository(tmp_path_factory.mktemp("extended") / "repository")


@pytest.fixture(scope="module")
def printed(copy) -> list[str]:
    """What each block printed, after all of them were carried out in the order of the page."""
    return [carry_out(block, copy) for block in blocks()]


def carry_out(block: re.Match, folder: Path) -> str:
    language, caption, text = block["language"], block["caption"], block["text"]
    if caption is None and language == "python":
        return run([sys.executable, "-c", text], folder)
    if caption is None and language == "console":
        commands = [line.removeprefix("$ ") for line in text.splitlines()]
        programs = f"{sys.prefix}/bin/"
        return "".join(
            run(["bash", "-c", line.replace(".venv/bin/", programs)], folder) for line in commands
        )
    assert caption, f"a kind of block that the test does not know: {block[0][:80]}"
    path, _, table = caption.partition(", at the end of ")
    target = folder / path
    if not table:
        assert not target.exists(), f"{path} is there already"
        target.write_text(text, encoding="utf-8")
        return ""
    before, start, after = target.read_text(encoding="utf-8").partition(f"\n{table}: ")
    entries, end, rest = after.partition("\n    }\n)\n")
    assert start
    assert end
    entries += "\n" + textwrap.indent(text, " " * 8).rstrip()
    target.write_text(before + start + entries + end + rest, encoding="utf-8")
    return ""


def test_every_block_of_the_page_is_found():
    text = PAGE.read_text(encoding="utf-8")
    assert len(blocks()) == len(re.findall("^```", text, re.MULTILINE)) / 2 > 5


def test_the_examples_run(copy, printed):
    everything = "".join(printed)
    assert "My hospital 80 (80, 14)" in everything
    assert "(None, 14) 24542" in everything
    # The plan of the preset: base of both networks, and one run of each other strategy.
    assert "preset my-preset on PHANTOM: 4 runs of 1 epoch at 32 px" in everything


def test_the_new_strategy_was_trained_and_shown(copy, printed):
    runs = {path.name.split("-seed")[0] for path in (copy / "build" / "runs").glob("*-seed*")}
    assert {"base-tiny", "early-self-tiny-from-tiny"} <= runs
    page = (copy / "build" / "early-self.ipynb").read_text(encoding="utf-8")
    assert "Early self-training" in page
    assert "Tiny, early-self" in page
    assert "PHANTOM" in page


def test_the_preset_of_the_page_has_known_keys_only():
    (text,) = [block["text"] for block in blocks() if block["language"] == "yaml"]
    known = yaml.safe_load((REPOSITORY / "workflow" / "presets" / "quick.yaml").read_text())
    assert set(yaml.safe_load(text)) <= set(known)
