import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import filelock
import layout
import numpy as np
import pytest

from chestkd.data import decode, memory_map, nih
from chestkd.data.prepare import PrepareError, folder_of, prepare

SIZE = 16


@pytest.fixture
def folder(tmp_path):
    return layout.write(tmp_path / "data")


@pytest.fixture
def data(folder):
    return nih.read(folder)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "prepared"


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files decoded so far, in a list that grows."""
    names = []
    original = decode.decode_file

    def decode_file(path):
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(decode, "decode_file", decode_file)
    return names


def quietly(data, store, **arguments):
    return prepare(data, SIZE, store, **{"progress": False, **arguments})


def expected_pixels(data):
    return np.stack([decode.resize(data.image(row), SIZE) for row in range(len(data))])


def spoil(folder, name):
    path = folder / "images" / name
    path.write_bytes(path.read_bytes()[:-20])


# What comes out


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_every_image_is_in_its_row(data, store, workers):
    prepared = quietly(data, store, workers=workers)
    assert prepared.images.dtype == np.uint8
    assert (prepared.images == expected_pixels(data)).all()
    assert isinstance(prepared.images, np.memmap)
    assert not prepared.images.flags.writeable
    assert prepared.dataset is data
    assert (prepared.size, prepared.left_out) == (SIZE, {})


def test_what_is_stored(data, store):
    prepared = quietly(data, store)
    assert prepared.folder == folder_of(data, SIZE, store)
    assert prepared.folder.name == f"{data.fingerprint[:12]}-16px"
    names = sorted(path.name for path in prepared.folder.iterdir())
    assert names == ["images.npy", "prepared.json", "rows.csv"]
    rows = (prepared.folder / "rows.csv").read_text().splitlines()
    assert rows[0] == "image,patient,listed,bytes"
    image = data.table["image"][5]
    size = data.paths[5].stat().st_size
    assert rows[6] == f"{image},{data.table['patient'][5]},{data.table['listed'][5]},{size}"
    assert not list(store.glob("*.partial"))


def test_the_second_call_decodes_nothing(data, store, decoded):
    first = quietly(data, store)
    assert len(decoded) == len(data)
    second = quietly(data, store)
    assert len(decoded) == len(data)
    assert second.fingerprint == first.fingerprint
    assert (second.images == first.images).all()


def test_sizes_lie_side_by_side(data, store):
    small, large = (prepare(data, size, store, progress=False) for size in (8, 64))
    assert (small.images.shape, large.images.shape) == ((32, 8, 8), (32, 64, 64))
    assert small.fingerprint != large.fingerprint


def test_a_mirror_with_other_bytes_has_the_same_fingerprint(data, folder, store, tmp_path):
    first = quietly(data, store)
    for path in data.paths:
        path.write_bytes(layout.png(decode.decode_file(path), mode="RGB"))
    mirror = quietly(nih.read(folder), tmp_path / "other")
    assert mirror.fingerprint == first.fingerprint


def test_another_pixel_or_label_has_another_fingerprint(data, folder, tmp_path):
    fingerprints = {quietly(data, tmp_path / "1").fingerprint}
    pixels = decode.decode_file(data.paths[3])
    pixels[:2, :2] += 40
    data.paths[3].write_bytes(layout.png(pixels))
    fingerprints.add(quietly(data, tmp_path / "2").fingerprint)
    table = folder / layout.LABELS
    table.write_text(table.read_text().replace(",M,", ",F,", 1))
    fingerprints.add(quietly(nih.read(folder), tmp_path / "3").fingerprint)
    assert len(fingerprints) == 3


def test_progress_is_shown_unless_told_otherwise(data, tmp_path, capfd):
    quietly(data, tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")
    quietly(data, tmp_path / "loud", progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "preparing 16 px: 100%" in shown.err
    assert "32/32" in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size must be 1 to 4096 pixels, not 0"),
        ({"size": 5000}, "not 5000"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"on_corrupt": "ignore"}, "on_corrupt must be 'stop' or 'skip', not 'ignore'"),
    ],
)
def test_arguments_that_are_not_allowed_are_named(data, store, arguments, message):
    with pytest.raises(ValueError, match=message):
        prepare(data, **{"size": 8, "folder": store, **arguments})
    assert not store.exists()


# Corrupt files


def test_a_corrupt_file_stops_and_is_named(data, folder, store):
    spoil(folder, "00000005_001.png")
    with pytest.raises(PrepareError) as error:
        quietly(data, store)
    assert f"corrupt image: {folder}/images/00000005_001.png: truncated" in str(error.value)
    assert "on_corrupt='skip'" in str(error.value)
    assert not folder_of(data, SIZE, store).exists()


def test_a_repaired_file_is_all_that_is_decoded_again(data, folder, store, decoded):
    whole = (folder / "images" / "00000005_001.png").read_bytes()
    spoil(folder, "00000005_001.png")
    with pytest.raises(PrepareError):
        quietly(data, store, workers=1)
    (folder / "images" / "00000005_001.png").write_bytes(whole)
    done = decoded.index("00000005_001.png")
    decoded.clear()
    prepared = quietly(data, store)
    assert len(decoded) == len(data) - done
    assert (prepared.images == expected_pixels(data)).all()


def test_corrupt_files_are_left_out_and_counted_when_asked(data, folder, store, capsys):
    names = ["00000001_000.png", "00000005_001.png"]
    for name in names:
        spoil(folder, name)
    prepared = quietly(data, store, on_corrupt="skip")
    err = capsys.readouterr().err
    assert err.count("2 corrupt files of 32 are left out, such as 00000001_000.png") == 1
    assert list(prepared.left_out) == names
    assert all("truncated" in reason for reason in prepared.left_out.values())
    kept = ~data.table["image"].isin(names).to_numpy()
    assert len(prepared.dataset) == len(prepared.images) == 30
    assert list(prepared.dataset.table["image"]) == list(data.table["image"][kept])
    assert (prepared.images == expected_pixels(prepared.dataset)).all()


def test_what_was_left_out_is_remembered(data, folder, store, decoded, capsys):
    spoil(folder, "00000005_001.png")
    first = quietly(data, store, on_corrupt="skip")
    decoded.clear()
    again = quietly(data, store, on_corrupt="skip")
    assert decoded == []
    assert (again.left_out, again.fingerprint) == (first.left_out, first.fingerprint)
    assert capsys.readouterr().err.count("1 corrupt files of 32 are left out") == 2
    with pytest.raises(PrepareError, match="1 corrupt files of 32 are left out, such as 00000005"):
        quietly(data, store)


def test_a_file_repaired_after_it_was_left_out_is_noticed(data, folder, store):
    whole = (folder / "images" / "00000005_001.png").read_bytes()
    spoil(folder, "00000005_001.png")
    quietly(data, store, on_corrupt="skip")
    (folder / "images" / "00000005_001.png").write_bytes(whole)
    with pytest.raises(PrepareError, match=r"1 differ in size now, such as 00000005_001\.png"):
        quietly(data, store, on_corrupt="skip")


def test_a_file_whose_pixels_are_left_out_does_not_leave_zeros(data, folder, store):
    for path in data.paths:
        spoil(folder, path.name)
    with pytest.raises(PrepareError, match="all 32 images are corrupt, such as 00000001"):
        quietly(data, store, on_corrupt="skip")


def test_an_unreadable_file_is_not_mistaken_for_a_corrupt_one(data, store, monkeypatch):
    def fail(path):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(decode, "decode_file", fail)
    with pytest.raises(OSError, match="Too many open files"):
        quietly(data, store, on_corrupt="skip")


def test_a_file_that_vanished_is_named(data, store):
    data.paths[7].unlink()
    with pytest.raises(FileNotFoundError, match=data.paths[7].name):
        quietly(data, store, on_corrupt="skip")


# Interruptions


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_call_is_resumed(data, store, monkeypatch, decoded, workers):
    original = decode.decode_file

    def interrupted(path):
        if path == data.paths[20]:
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(decode, "decode_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quietly(data, store, workers=workers)
    assert not folder_of(data, SIZE, store).exists()
    monkeypatch.setattr(decode, "decode_file", original)
    decoded.clear()
    prepared = quietly(data, store)
    assert sorted(decoded) == [path.name for path in data.paths[20:]]
    assert (prepared.images == expected_pixels(data)).all()


SLOW = """
    import sys, time
    from chestkd.data import decode, memory_map, nih, prepare
    original = decode.decode_file
    def slow(path):
        time.sleep(0.02)
        print(path.name, flush=True)
        return original(path)
    decode.decode_file = slow
    memory_map._SECONDS_BETWEEN_FLUSHES = 0
    prepare.prepare(nih.read(sys.argv[1]), 16, sys.argv[2], workers=1, progress=False)
"""


def start_slowly(folder, store):
    command = [sys.executable, "-c", textwrap.dedent(SLOW), str(folder), str(store)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_process_is_resumed(data, folder, store, decoded):
    with start_slowly(folder, store) as process:
        for _ in range(12):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert [path.suffix for path in store.iterdir() if path.is_dir()] == [".partial"]
    prepared = quietly(data, store)
    # The last one or two may not have been recorded before the kill.
    assert 15 <= len(decoded) <= 22
    assert (prepared.images == expected_pixels(data)).all()


def test_a_second_process_waits_for_the_first(data, folder, store, decoded, capsys):
    with start_slowly(folder, store) as process:
        process.stdout.readline()
        prepared = quietly(data, store)
        assert process.wait(10) == 0
    assert "another process is preparing it; waiting" in capsys.readouterr().err
    assert decoded == []
    assert (prepared.images == expected_pixels(data)).all()


def test_what_is_stored_is_read_without_the_lock(data, store):
    prepared = quietly(data, store)
    with filelock.FileLock(f"{prepared.folder}.lock"):
        quietly(data, store)


def test_a_partial_folder_of_other_data_is_not_resumed(data, store, monkeypatch, decoded):
    partial = folder_of(data, SIZE, store).with_name(folder_of(data, SIZE, store).name + ".partial")
    original = decode.decode_file
    monkeypatch.setattr(decode, "decode_file", lambda path: (_ for _ in ()).throw(OSError("x")))
    with pytest.raises(OSError, match="x"):
        quietly(data, store)
    state = json.loads((partial / "filling.json").read_text())
    np.lib.format.open_memmap(partial / "done.npy", mode="r+")[:] = True
    (partial / "filling.json").write_text(json.dumps(state | {"method": "of another version"}))
    monkeypatch.setattr(decode, "decode_file", original)
    prepared = quietly(data, store)
    assert len(decoded) == len(data)
    assert (prepared.images == expected_pixels(data)).all()


@pytest.mark.parametrize("broken", ["filling.json", "images.npy", "done.npy", "bytes.npy"])
def test_a_partial_folder_with_a_broken_file_is_started_from_scratch(
    data, store, monkeypatch, broken
):
    target = folder_of(data, SIZE, store)
    original = decode.decode_file
    monkeypatch.setattr(decode, "decode_file", lambda path: (_ for _ in ()).throw(OSError("x")))
    with pytest.raises(OSError, match="x"):
        quietly(data, store)
    (store / f"{target.name}.partial" / broken).write_bytes(b"")
    monkeypatch.setattr(decode, "decode_file", original)
    assert (quietly(data, store).images == expected_pixels(data)).all()


def test_no_more_images_are_under_way_than_the_threads_need():
    started = []
    release = threading.Event()

    def work(row):
        started.append(row)
        release.wait(10)

    results = memory_map._in_parallel(work, range(1000), workers=2)
    threading.Timer(0.1, release.set).start()
    assert next(results) == (0, None)
    time.sleep(0.05)
    assert len(started) <= 2 * memory_map._AHEAD + 1
    results.close()
    assert len(started) <= 2 * memory_map._AHEAD + 1


# Disks


def test_a_full_disk_is_reported_before_anything_is_written(data, store, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PrepareError, match=r"has 0\.00 GB free; 32 images at 16 px need 0\.07 GB"):
        quietly(data, store)
    assert [path.name for path in store.iterdir() if path.is_dir()] == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no posix_fallocate here")
def test_a_disk_that_another_process_fills_is_an_error_not_a_crash(data, store, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(PrepareError, match=r"32 images at 16 px need .* No space left"):
        quietly(data, store)
    assert not list(store.glob("*.partial"))


# Stored results that do not belong to these files


def test_another_file_under_the_same_name_is_noticed(data, store):
    quietly(data, store)
    data.paths[3].write_bytes(layout.png(np.zeros((40, 40), np.uint8)))
    with pytest.raises(PrepareError, match=f"1 differ in size now, such as {data.paths[3].name}"):
        quietly(data, store)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("prepared.json", b"{"),
        ("prepared.json", b"{}"),
        ("rows.csv", b""),
        ("rows.csv", b"image\n"),
        ("rows.csv", b"image,patient,listed,bytes\n00000001_000.png,1,test,7\n"),
        ("images.npy", b""),
        ("images.npy", b"\x93NUMPY"),
    ],
)
def test_a_damaged_folder_is_named(data, store, name, content):
    target = quietly(data, store).folder
    (target / name).write_bytes(content)
    with pytest.raises(PrepareError) as error:
        quietly(data, store)
    assert f"{target} is damaged: " in str(error.value)
    assert "delete that folder" in str(error.value)


def test_a_folder_of_another_version_is_refused(data, store):
    target = quietly(data, store).folder
    record = json.loads((target / "prepared.json").read_text())
    (target / "prepared.json").write_text(json.dumps(record | {"method": "area 0"}))
    with pytest.raises(PrepareError, match="contains other data, or pixels of another version"):
        quietly(data, store)


def test_the_real_sample(shared, store):
    folder = shared / "data" / "chestxray14-sample"
    data = nih.read(folder, allow_partial=True)
    data = data.take(np.unique([*range(40), *data.boxes["row"]]))
    prepared = prepare(data, 64, store, progress=False)
    for row in (0, len(data) - 1, int(data.boxes["row"].iloc[0])):
        assert (prepared.images[row] == decode.resize(data.image(row), 64)).all()
    assert prepared.left_out == {}
