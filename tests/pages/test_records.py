"""Records beside the book, and the published tables computed from them again."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from fabricated import Fabricated

from chestkd import __main__
from chestkd.evaluation.auc import auc_scores
from chestkd.findings import BOXED_FINDINGS
from chestkd.pages import claim_11, edition, html, records, verification
from chestkd.paper.claims import claim
from chestkd.paper.verdicts import EFFECT_COLUMNS, MEAN
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import load
from chestkd.training import compact_scores
from chestkd.training.store import Store

FINISHED = "2026-03-01T12:30:59+02:00"


def fabricate(folder: Path, *, runs: slice = slice(None)) -> Fabricated:
    """A study of preset `smoke` with the planned runs of a slice, and what the records ask it."""
    study = Fabricated(load("smoke"), folder)
    study.preset_argument = "smoke"
    study.describe = lambda: {"data": "PHANTOM (160 of 160 listed images)", "size": 32}
    labels = np.random.default_rng(1).integers(0, 2, (50, 14)).astype(np.uint8)
    study.prepared = SimpleNamespace(dataset=SimpleNamespace(labels=labels))
    study.split = SimpleNamespace(validation=np.arange(30))
    for strength, planned in enumerate(study.planned()[runs]):
        study.add(planned, 0.4 + strength / 10, finished=FINISHED)
    return study


def add_effects_of_maps(study: Fabricated) -> None:
    part = claim("C11").parts[0]
    labels = [pair.label for pair in part.comparisons]
    assert len(labels) == len(BOXED_FINDINGS)
    rows = [("C11", part.name, label, 0.25, 0.125, 0.5) for label in (*labels, MEAN)]
    run = study.find(PlannedRun("base", "resnet-32", seed=0))
    details = {"network": "ResNet-32", "regions": 8, "patients": 4, "samples": 2, "steps": 2}
    claim_11.store(study.folder, pd.DataFrame(rows, columns=EFFECT_COLUMNS), run.id, details)


def publish(study: Fabricated, notebooks: Path) -> None:
    """Write the tables of a study's own runs as notebooks that have nothing else."""
    described = study.describe()
    study.describe = lambda: {"name": "PHANTOM", **described}
    study.validation_labels = lambda: study.prepared.dataset.labels[study.split.validation]
    for page, frames in verification.tables(study).items():
        shown = [
            html.table(
                frame, name=name, caption=name, source="PHANTOM",
                formats={column: ".3f" for column in frame if frame[column].dtype == float},
            ).data
            for name, frame in frames.items()
        ]  # fmt: skip
        outputs = [
            {"data": {"text/html": text.splitlines(keepends=True)}, "output_type": "execute_result"}
            for text in shown
        ]
        notebook = {
            "cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": outputs}],
            "metadata": {"chestkd": {"preset": study.preset.name}},
        }
        path = notebooks / f"{page}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook))
    study.describe = lambda: described


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """A study, its records and its published notebooks."""
    folder = tmp_path_factory.mktemp("edition")
    study = fabricate(folder)
    add_effects_of_maps(study)
    kept = folder / "records" / "smoke"
    assert records.write(study, kept) == len(study.planned())
    publish(study, folder / "notebooks")
    return SimpleNamespace(study=study, records=kept, notebooks=folder / "notebooks")


@pytest.fixture
def copied(made, tmp_path) -> SimpleNamespace:
    """A copy of the records and notebooks, to be changed."""
    for folder in ("records", "notebooks"):
        shutil.copytree(made.notebooks.parent / folder, tmp_path / folder)
    return SimpleNamespace(records=tmp_path / "records" / "smoke", notebooks=tmp_path / "notebooks")


def test_tables_of_the_records_are_those_of_the_runs(made):
    verified = verification.verify(made.notebooks, made.records)
    assert verified.problems == []
    assert verified.runs == len(made.study.planned())
    assert verified.tables > 15
    assert verified.cells > 1000
    assert f"{verified.cells:,} cells" in verified.summary(2.0)
    pages = verification.tables(records.read(made.records))
    assert "C11" in set(pages["claims"]["claims"].query("verdict == 'supported'")["claim"])
    assert {"figure-6-record", "figure-6-numbers"} == set(pages["figure-6"])


def test_the_same_runs_give_the_same_bytes(made, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_900_000_000.0)
    again = tmp_path / "smoke"
    records.write(made.study, again)
    assert records.manifest(again) == records.manifest(made.records)
    records.write(made.study, again)
    assert (again / records.MANIFEST).read_bytes() == (made.records / records.MANIFEST).read_bytes()


def test_what_runs_share_is_stored_once(made):
    assert len(list((made.records / "runs").glob("test-*.npz"))) == 1
    stored = np.load(made.records / "runs" / "base-resnet-32-seed0" / "scores.npz")
    assert {"labels", "images", "patients"}.isdisjoint(stored)


@pytest.mark.parametrize("decimals", [None, 0], ids=["different", "tied"])
def test_compact_scores_keep_every_auc(tmp_path, decimals):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (3000, 14)).astype(np.uint8)
    logits = (labels + 2 * generator.normal(size=labels.shape)).astype(np.float32)
    logits = logits if decimals is None else logits.round(decimals)
    scores = {"logits": logits, "labels": labels, "patients": np.arange(3000) // 9}
    scores["images"] = np.array([f"{row:08}_000.png" for row in range(3000)])
    folder = tmp_path / "run"
    folder.mkdir()
    compact_scores.write(scores, folder)
    (folder / "run.json").write_text("{}")
    read = Store(tmp_path).load("run").scores()
    assert np.array_equal(auc_scores(labels, read["logits"]), auc_scores(labels, logits))
    for name in ("labels", "images", "patients"):
        assert np.array_equal(read[name], scores[name])
    assert np.abs(read["logits"] - logits).mean() < 0.02 * logits.std()
    # At the size of the paper's sweep: 150 runs in less than 10 MB.
    assert (folder / "scores.npz").stat().st_size < 10_100_000 / 150


def test_more_values_than_two_bytes_can_rank_are_refused(tmp_path):
    logits = np.arange(70_000, dtype=np.float32)[:, None]
    with pytest.raises(ValueError, match="16 bits cannot keep the order"):
        compact_scores.write({"logits": logits}, tmp_path)


def test_a_sweep_adds_its_runs_and_forgets_what_is_no_longer_planned(tmp_path):
    kept = tmp_path / "smoke"
    first = fabricate(tmp_path / "one", runs=slice(0, 2))
    assert records.write(first, kept) == 2
    # On another machine, with the next run only.
    second = fabricate(tmp_path / "two", runs=slice(2, 3))
    (kept / "runs" / "base-of-yesterday").mkdir()
    (kept / "runs" / "test-0123456789.npz").write_bytes(b"")
    assert records.write(second, kept) == 3
    study = records.read(kept)
    there = [planned for planned in study.planned() if study.find(planned)]
    assert there == first.planned()[:3]
    assert study.find(there[0]).id == first.find(there[0]).id
    assert len(list((kept / "runs").iterdir())) == 4
    assert records.changed(kept) == []


def test_a_diverged_run_is_recorded_without_scores(tmp_path):
    study = fabricate(tmp_path, runs=slice(1, None))
    planned = study.planned()[0]
    study.add(planned, status="diverged", finished=FINISHED)
    records.write(study, tmp_path / "smoke")
    publish(study, tmp_path / "notebooks")
    assert records.read(tmp_path / "smoke").find(planned).diverged
    assert verification.verify(tmp_path / "notebooks", tmp_path / "smoke").problems == []


def test_nothing_about_real_radiographs_is_recorded(tmp_path):
    study = fabricate(tmp_path, runs=slice(0, 1))
    study.dataset = SimpleNamespace(name="ChestX-ray14")
    with pytest.raises(ValueError, match="not of ChestX-ray14"):
        records.write(study, tmp_path / "smoke")
    assert not (tmp_path / "smoke").exists()


def change_one_byte(path: Path, generator: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[generator.integers(len(content))] ^= int(generator.integers(1, 256))
    path.write_bytes(content)


def test_one_changed_byte_of_any_record_is_found_and_its_file_named(copied):
    paths = sorted(path for path in copied.records.rglob("*") if path.is_file())
    assert len(paths) > 20
    for seed, path in enumerate(paths * 3):
        original = path.read_bytes()
        change_one_byte(path, np.random.default_rng(seed))
        problems = verification.verify(copied.notebooks, copied.records).problems
        assert problems, (path, seed)
        assert all(str(path) in line for line in problems), (problems, seed)
        path.write_bytes(original)
    assert verification.verify(copied.notebooks, copied.records).problems == []


def test_a_missing_and_a_new_file_are_found(copied):
    history = copied.records / "runs" / "base-resnet-32-seed0" / "history.csv"
    history.rename(history.with_name("other.csv"))
    problems = verification.verify(copied.notebooks, copied.records).problems
    assert len(problems) == 2
    assert f"{history}: " in problems[0]
    assert problems[0].endswith("found nothing")
    assert f"{history.with_name('other.csv')}: " in problems[1]


def swap_scores(copied: SimpleNamespace) -> None:
    one, other = (
        copied.records / "runs" / f"base-{network}-seed0" / "scores.npz"
        for network in ("resnet-32", "mobilenet-v1")
    )
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def lengthen_an_epoch(copied: SimpleNamespace) -> None:
    path = copied.records / "runs" / "base-resnet-32-seed0" / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"training_seconds": 41.0}))


def change_labels(copied: SimpleNamespace) -> None:
    labels = np.zeros((30, 14), np.uint8)
    np.savez_compressed(copied.records / "validation.npz", labels=labels)


@pytest.mark.parametrize(
    ("change", "table", "column"),
    [
        (swap_scores, "base-resnet-32-seed0-auc", "auc"),
        (lengthen_an_epoch, "table-2", "minutes"),
        (change_labels, "figure-6-numbers", "always absent"),
    ],
)
def test_records_changed_with_their_hashes_are_found_by_their_numbers(
    copied, change: Callable, table: str, column: str
):
    change(copied)
    (copied.records / records.MANIFEST).write_text(records.manifest(copied.records))
    problems = verification.verify(copied.notebooks, copied.records).problems
    named = [line for line in problems if f"table {table}, row" in line and repr(column) in line]
    assert named
    assert re.search(r"\.ipynb: .* published '[\d.]+', computed '[\d.]+'$", named[0])


def test_any_changed_digit_of_a_published_table_is_found_and_named(made, tmp_path):
    """In the CSV or in the cells that readers see; 300 digits at random."""
    computed = verification.tables(records.read(made.records))
    generator = np.random.default_rng(0)
    pages = sorted(computed)
    for _ in range(300):
        page = pages[generator.integers(len(pages))]
        source = made.notebooks / f"{page}.ipynb"
        notebook = json.loads(source.read_text())
        outputs = notebook["cells"][1]["outputs"]
        output = outputs[generator.integers(len(outputs))]["data"]
        text = "".join(output["text/html"])
        name = re.search(r'id="([^"]*)"', text)[1]
        if generator.random() < 0.5:
            start = text.index("utf-8,") + len("utf-8,")
            content = unquote(text[start : text.index('">CSV')])
            # The last of 17 digits say in which order a sum was added up.
            digits = [found.start() for found in re.finditer(r"(?<!\d{11})\d", content)]
            changed = with_another_digit(content, digits, generator)
            output["text/html"] = [text.replace(text[start : text.index('">CSV')], quote(changed))]
        else:
            cells = re.finditer(r"(?<=>)[^<>]*\d[^<>]*(?=(</strong>)?</t[dh]>)", text)
            digits = [
                found.start() + digit.start()
                for found in cells
                for digit in re.finditer(r"(?<!&#x)\d", found[0])
            ]
            if not digits:
                continue
            output["text/html"] = [with_another_digit(text, digits, generator)]
        path = tmp_path / source.name
        path.write_text(json.dumps(notebook))
        lines = verification.PublishedTables(path).differences(computed[page])
        assert lines, output
        assert all(f"{path}: table {name}" in line for line in lines)


def with_another_digit(text: str, digits: list[int], generator: np.random.Generator) -> str:
    at = digits[generator.integers(len(digits))]
    other = (int(text[at]) + int(generator.integers(1, 10))) % 10
    return f"{text[:at]}{other}{text[at + 1 :]}"


def test_a_missing_table_or_notebook_is_named(copied):
    (copied.notebooks / "table-2.ipynb").unlink()
    path = copied.notebooks / "claims.ipynb"
    path.write_text(path.read_text().replace("claims-comparisons", "claims-others"))
    problems = verification.verify(copied.notebooks, copied.records).problems
    assert problems == [
        f"{copied.notebooks / 'table-2.ipynb'} is not there",
        f"{path}: table claims-comparisons is not there",
    ]
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ValueError, match=r"claims\.ipynb: not a notebook"):
        verification.verify(copied.notebooks, copied.records)


@pytest.mark.parametrize(
    ("given", "exact", "rounded", "equal"),
    [
        ("0.712", "0.7123", True, False),
        ("0.713", "0.7123", False, False),
        ("1,234", "1234", True, False),
        ("+0.50", "-0.50", False, False),
        ("13.3%", "0.13333", True, False),
        ("13.4%", "0.13333", False, False),
        ("0.30000000000000004", "0.3", False, True),
        ("464", "465", False, False),
        ("", "0.1", False, False),
        ("not run", "", False, False),
    ],
)
def test_what_agrees(given, exact, rounded, equal):
    assert verification._is_rounded(given, exact) == rounded
    assert verification._is_equal(given, exact) == equal


def test_the_commands(copied, monkeypatch, capsys):
    """`verify` on a book whose notebooks name their preset; one line for what differs."""
    root = copied.notebooks.parent
    (root / "workflow").mkdir()
    (root / "workflow" / "Snakefile").write_text("")
    (root / "book").mkdir()
    for name in ("records", "notebooks"):
        (root / name).rename(root / "book" / name)
    monkeypatch.chdir(root)
    assert __main__.main(["verify"]) == 0
    assert "were computed again from the records of 7 runs" in capsys.readouterr().out
    changed = root / "book" / "records" / "smoke" / "data.json"
    changed.write_text("{}")
    assert __main__.main(["verify"]) == 1
    printed = capsys.readouterr()
    assert str(changed) in printed.out
    assert "error: 1 " in printed.err
    unnamed = root / "book" / "notebooks" / "claims.ipynb"
    unnamed.write_text(unnamed.read_text().replace('"preset"', '"other"'))
    assert __main__.main(["verify"]) == 1
    assert "received ['', 'smoke']" in capsys.readouterr().err
    unnamed.unlink()
    shutil.rmtree(root / "book" / "records")
    assert __main__.main(["verify"]) == 1
    assert "make edition" in capsys.readouterr().err


def test_the_published_edition_follows_from_its_records():
    book = REPOSITORY / "book"
    if not (book / "records").is_dir():
        pytest.skip("no book/records yet: `make edition` writes them")
    assert verification.verify(book / edition.NOTEBOOKS).problems == []
    files = [path for path in (book / "records").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 1_000_000
    assert sum(path.stat().st_size for path in files) < 10_000_000
