import argparse
import errno
import gzip
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from chestkd.data import nih
from chestkd.findings import BOXED_FINDINGS, FINDINGS, decode
from chestkd.phantom import blocks, writing
from chestkd.phantom.command import add_arguments, run
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.masks import read_mask, read_sign
from chestkd.phantom.regions import box
from chestkd.phantom.render import draw
from chestkd.phantom.specification import DRAWING, PhantomSpecification
from chestkd.phantom.tables import boxed
from chestkd.phantom.writing import generate

SPECIFICATION = PhantomSpecification(images=80, size=32, seed=2)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantom"
    return generate(SPECIFICATION, folder, processes=1, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_is_laid_out_like_nihs(phantom):
    assert sorted(path.name for path in phantom.iterdir()) == [
        "BBox_List_2017.csv",
        "Data_Entry_2017_v2020.csv",
        "images",
        "masks.npz",
        "phantom.json",
        "test_list.txt",
        "train_val_list.txt",
        "truth.csv.gz",
    ]
    labels = (phantom / "Data_Entry_2017_v2020.csv").read_text().splitlines()
    assert labels[0].endswith("OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]")
    assert len(labels) == 81
    lists = [(phantom / name).read_text() for name in ("train_val_list.txt", "test_list.txt")]
    assert not any(text.endswith("\n") for text in lists)
    names = [name for text in lists for name in text.split("\n")]
    assert sorted(names) == sorted(path.name for path in (phantom / "images").iterdir())
    patients = [{name[:8] for name in text.split("\n")} for text in lists]
    assert not patients[0] & patients[1]


def test_the_ordinary_reader_reads_it(phantom):
    data = nih.read(phantom)
    assert len(data) == 80
    assert "PHANTOM" in data.name
    assert data.table["view"].isin(["PA", "AP"]).all()


def test_images_say_phantom_and_some_are_rgba(phantom):
    modes = set()
    for path in (phantom / "images").iterdir():
        with Image.open(path) as image:
            modes.add(image.mode)
            assert image.size == (32, 32)
            assert image.info["Comment"].startswith("PHANTOM")
    assert modes == {"L", "RGBA"}
    assert "PHANTOM" in json.loads((phantom / "phantom.json").read_text())["description"]


def test_the_box_list_names_recorded_findings_of_test_images(phantom):
    lines = (phantom / "BBox_List_2017.csv").read_text().splitlines()
    assert lines[0] == "Image Index,Finding Label,Bbox [x,y,w,h]"
    test = set((phantom / "test_list.txt").read_text().split("\n"))
    truth = pd.read_csv(phantom / "truth.csv.gz", index_col="Image Index")
    assert len(lines) > 3
    for line in lines[1:]:
        name, finding, *numbers = line.split(",")
        finding = finding.replace("Infiltrate", "Infiltration")
        assert name in test
        assert finding in BOXED_FINDINGS
        assert finding in truth.loc[name, "Recorded Labels"].split("|")
        assert finding in truth.loc[name, "True Labels"].split("|")
        expected = [float(value) for value in truth.loc[name, f"{finding} box [x y w h]"].split()]
        np.testing.assert_allclose([float(number) for number in numbers], expected, atol=0.01)


def test_the_truth_agrees_with_masks_boxes_and_severities(phantom):
    truth = pd.read_csv(phantom / "truth.csv.gz")
    boxed = 0
    for row, line in enumerate(truth.to_dict("records")):
        severities = np.array([line[f"{name} severity"] for name in FINDINGS])
        assert line["True Labels"] == decode(severities > 0)
        for name, severity in zip(FINDINGS, severities, strict=True):
            mask = read_mask(phantom, row, name)
            sign = read_sign(phantom, row, name)
            assert (mask is None) == (sign is None) == (severity == 0)
            if mask is not None:
                assert mask.shape == sign.shape == (32, 32)
                found = [float(value) for value in line[f"{name} box [x y w h]"].split()]
                np.testing.assert_allclose(found, box(mask), atol=0.01)
                boxed += 1
    assert boxed > 30


def test_the_bytes_are_those_of_every_other_machine(phantom):
    """A change of them needs a new number in `specification.DRAWING`, and a new hash here."""
    digest = hashlib.sha256()
    for name, content in contents(phantom).items():
        digest.update(name.encode() + b"\0" + content)
    assert DRAWING == 4
    assert digest.hexdigest() == "0791aff5c1438be646fee7a8283fa5185bff250c4c3a722f2015ca8817d34230"


def test_any_number_of_processes_writes_the_same_bytes(phantom, tmp_path):
    again = generate(SPECIFICATION, tmp_path / "again", processes=2, progress=False)
    assert contents(again) == contents(phantom)


def test_a_stopped_run_resumes_and_ends_with_the_same_bytes(phantom, tmp_path, monkeypatch):
    draw, drawn = blocks._Job.draw, []

    def stopped_once(job, block):
        drawn.append(block)
        if drawn == [0, 1]:
            (job.folder / "images" / "00000001_000.png.tmp").write_bytes(b"half")
            raise KeyboardInterrupt
        return draw(job, block)

    monkeypatch.setattr(blocks._Job, "draw", stopped_once)
    folder = tmp_path / "phantom"
    with pytest.raises(KeyboardInterrupt):
        generate(SPECIFICATION, folder, processes=1, progress=False)
    assert not folder.exists()
    generate(SPECIFICATION, folder, processes=1, progress=False)
    assert drawn == [0, 1, 1, 2]
    assert contents(folder) == contents(phantom)
    assert not (tmp_path / "phantom.partial").exists()


def test_a_complete_phantom_is_left_alone(phantom, monkeypatch):
    monkeypatch.setattr(writing, "draw_plan", None)
    before = {path: path.stat().st_mtime_ns for path in phantom.rglob("*")}
    assert generate(SPECIFICATION, phantom) == phantom
    assert {path: path.stat().st_mtime_ns for path in phantom.rglob("*")} == before


def test_another_phantom_is_not_overwritten(phantom):
    other = PhantomSpecification(images=80, size=32, seed=3)
    with pytest.raises(FileExistsError, match=r"another phantom \(seed 2 there, 3 asked for\)"):
        generate(other, phantom)


def test_a_folder_with_something_else_is_not_touched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="already contains something that is not a phantom"):
        generate(SPECIFICATION, tmp_path)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_an_unfinished_phantom_of_other_knobs_is_not_mixed_in(tmp_path):
    unfinished = tmp_path / "phantom.partial"
    unfinished.mkdir()
    (unfinished / "unfinished.json").write_bytes(
        writing._stamp(PhantomSpecification(images=80, size=64, seed=2))
    )
    with pytest.raises(FileExistsError, match="unfinished phantom of another specification"):
        generate(SPECIFICATION, tmp_path / "phantom")
    (unfinished / "unfinished.json").rename(unfinished / "something")
    with pytest.raises(FileExistsError, match="is not an unfinished phantom"):
        generate(SPECIFICATION, tmp_path / "phantom")


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "phantom").mkdir()
    small = PhantomSpecification(images=3, size=32, seed=1)
    folder = generate(small, tmp_path / "phantom", processes=1, progress=False)
    assert len(list((folder / "images").iterdir())) == 3


def test_too_little_space_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=50_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(OSError, match=r"no space left .* nothing was written") as error:
        generate(SPECIFICATION, tmp_path / "deep" / "phantom")
    assert error.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    write = blocks.write_atomically

    def full(path, content):
        if path.name.startswith("00000003"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(blocks, "write_atomically", full)
    with pytest.raises(OSError, match="make room and repeat the command"):
        generate(SPECIFICATION, tmp_path / "phantom", processes=1, progress=False)
    assert not (tmp_path / "phantom").exists()


def test_no_process_is_refused(tmp_path):
    with pytest.raises(ValueError, match="processes must be 1 or more, received 0"):
        generate(SPECIFICATION, tmp_path / "phantom", processes=0)


def test_the_command_writes_a_phantom(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    folder = tmp_path / "phantom"
    options = ["--images", "3", "--size", "32", "--seed", "1", "--processes", "1", "--quiet"]
    assert run(parser.parse_args([str(folder), *options])) == 0
    assert "PHANTOM: 3 images" in capsys.readouterr().out
    assert gzip.decompress((folder / "truth.csv.gz").read_bytes()).count(b"\n") == 4


@pytest.mark.parametrize("images", [1, 2, 3, 5, 10, 20, 30])
def test_a_small_phantom_is_readable_or_refused_before_it_is_drawn(images, tmp_path):
    small = PhantomSpecification(images=images, size=32, box_share=0.01)
    if not boxed(draw_plan(small)).any():
        assert images <= 8
        message = (
            f"^a phantom of {images} images with seed 0 has no finding to box in its test list, "
            "and without a box it cannot be read; ask for more images$"
        )
        with pytest.raises(ValueError, match=message):
            generate(small, tmp_path / "phantom", processes=1, progress=False)
        assert not list(tmp_path.iterdir())
        return
    data = nih.read(generate(small, tmp_path / "phantom", processes=1, progress=False))
    assert len(data) == images
    assert len(data.boxes) >= 1


def test_masks_and_signs_are_those_of_the_drawing(phantom):
    plan = draw_plan(SPECIFICATION)
    row = int((plan.severities > 0).sum(axis=1).argmax())
    radiograph = draw(blocks.visit_of(plan, row), SPECIFICATION)
    assert len(radiograph.masks) > 1
    for name, mask in radiograph.masks.items():
        np.testing.assert_array_equal(read_mask(phantom, row, name), mask)
        np.testing.assert_array_equal(read_sign(phantom, row, name), radiograph.signs[name])
