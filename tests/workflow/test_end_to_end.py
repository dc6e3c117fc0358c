"""The real entry points on a copy of the repository: `make book` with preset `smoke`."""

import sys
import time
from pathlib import Path

import pytest
from entry_points import make_book, run

from chestkd.training.store import Store

pytestmark = pytest.mark.slow


def pending_jobs(folder: Path, preset: str) -> set[str]:
    """Names of the notebooks that a change would execute again."""
    program = Path(sys.prefix, "bin", "snakemake")
    output = run(
        [str(program), "--snakefile", "workflow/Snakefile", "--cores", "1", "--dry-run", "--nolock",
         "--config", f"preset={preset}"],
        folder,
    )  # fmt: skip
    lines = [line.split("output:", 1)[1] for line in output.splitlines() if "output:" in line]
    return {Path(line.strip()).stem for line in lines if line.strip().endswith(".ipynb")}


def records(folder: Path) -> dict[str, int]:
    return {
        path.parent.name: path.stat().st_mtime_ns
        for path in (folder / "build" / "runs").glob("*/run.json")
    }


def test_a_book_comes_out(copy, built):
    html = copy / "build" / "smoke" / "html"
    assert f"the book: {html / 'index.html'}" in built
    assert "stage, when it last ran" in built
    page = (html / "notebooks" / "table-3.html").read_text(encoding="utf-8")
    assert "PHANTOM" in page
    assert "Yao et al. [61]" in page
    strategies = {run.specification.strategy for run in Store(copy / "build" / "runs").runs()}
    assert strategies == {"base", "standard", "reversed", "defective", "self-training"}
    run_pages = sorted((html / "notebooks" / "runs").glob("*.html"))
    assert len(run_pages) == 8  # with that of pre-training
    for run_page in run_pages:
        assert "PHANTOM" in run_page.read_text(encoding="utf-8"), run_page


def test_no_page_asks_another_machine_for_anything(copy, built):
    for page in (copy / "build" / "smoke" / "html").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for attribute in ('src="http', 'src="//', '<link rel="stylesheet" href="http'):
            assert attribute not in text, f"{page}: {attribute}"


def test_nothing_is_done_if_nothing_changed(copy, built):
    before = records(copy)
    start = time.perf_counter()
    output = make_book(copy, "PRESET=smoke")
    assert "Nothing to be done" in output
    assert records(copy) == before
    assert time.perf_counter() - start < 20


def test_a_changed_page_is_executed_without_the_others(copy, built):
    page = copy / "notebooks" / "table-3.py"
    page.write_text(
        page.read_text(encoding="utf-8").replace("It trains nothing", "It trains no net")
    )
    # The page on provenance lists what each page cost.
    assert pending_jobs(copy, "smoke") == {"table-3", "provenance"}
    before = records(copy)
    make_book(copy, "PRESET=smoke")
    html = copy / "build" / "smoke" / "html" / "notebooks" / "table-3.html"
    assert "It trains no net" in html.read_text(encoding="utf-8")
    assert records(copy) == before


def test_a_published_edition_is_verified_without_its_runs(copy, built):
    command = [sys.executable, "-m", "chestkd"]
    run([*command, "publish", "--preset", "smoke"], copy)
    (copy / "build" / "runs").rename(copy / "build" / "away")
    try:
        verified = run([*command, "verify"], copy)
    finally:
        (copy / "build" / "away").rename(copy / "build" / "runs")
    assert "were computed again from the records of 8 runs" in verified


def test_changed_parameters_retrain_only_what_they_change(copy, built):
    preset = copy / "workflow" / "presets" / "smoke.yaml"
    original = preset.read_text(encoding="utf-8")
    try:
        preset.write_text(original.replace("temperature: [4]", "temperature: [3]"))
        pending = pending_jobs(copy, "smoke")
    finally:
        preset.write_text(original)
    taught = {name for name in pending if name.split("-")[0] in ("standard", "reversed")}
    assert len(taught) == 2
    assert not [name for name in pending if name.startswith("base")]


def test_a_notebook_that_fails_stops_the_build_and_is_kept(copy, built):
    page = copy / "notebooks" / "table-3.py"
    original = page.read_text(encoding="utf-8")
    html = copy / "build" / "smoke" / "html" / "index.html"
    try:
        page.write_text(original + '\n# %%\nraise ValueError("broken on purpose")\n')
        output = make_book(copy, "PRESET=smoke", fails=True)
    finally:
        page.write_text(original)
    assert "broken on purpose" in output
    log = copy / "build" / "smoke" / "logs" / "table-3.ipynb"
    assert f"failed notebook: {log}" in output
    assert "broken on purpose" in log.read_text(encoding="utf-8")
    assert html.is_file()
    make_book(copy, "PRESET=smoke")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (["PRESET=quik"], "no preset 'quik'"),
        (["PRESET=smoke", "DATA=nowhere"], "no folder"),
    ],
)
def test_wrong_arguments_are_named(copy, variables, message):
    assert message in make_book(copy, *variables, fails=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  shortcut: {", "  shortcuts: {", "pages: unknown page 'shortcuts'; allowed: claims"),
        ("{images: 64,", "{image: 64,", "pages: loss-forms: unknown parameter 'image'; allowed"),
    ],
)
def test_wrong_parameters_of_pages_are_named_before_anything_runs(
    copy, tmp_path, old, new, message
):
    text = (copy / "workflow" / "presets" / "smoke.yaml").read_text(encoding="utf-8")
    assert old in text
    preset = tmp_path / "mine.yaml"
    preset.write_text(text.replace(old, new))
    assert message in make_book(copy, f"PRESET={preset}", fails=True)


def test_a_book_comes_out_of_real_radiographs(copy, shared):
    sample = shared / "data" / "chestxray14-sample"
    preset = copy / "one-network.yaml"
    smoke = (copy / "workflow" / "presets" / "smoke.yaml").read_text(encoding="utf-8")
    pairs = ("students", "teachers", "image_wise")
    smoke = smoke[: smoke.index("# MobileNet-v1 starts")]
    lines = [line for line in smoke.splitlines() if not line.startswith(pairs)]
    text = "\n".join(lines).replace("[resnet-32, mobilenet-v1]", "[resnet-32]")
    preset.write_text(
        text.replace("[base, standard, reversed, defective, self-training]", "[base]")
    )
    variables = [f"PRESET={preset}", f"DATA={sample}"]
    refused = make_book(copy, *variables, fails=True)
    assert "2,272 of 112,120" in refused
    make_book(copy, *variables, "PARTIAL=yes")
    html = copy / "build" / "one-network-on-chestxray14-sample" / "html" / "notebooks"
    page = (html / "table-3.html").read_text(encoding="utf-8")
    assert "ChestX-ray14 (2,272 of 112,120 listed images)" in page
    assert "PHANTOM (" not in page
