import contextlib
import gzip
import re
import shutil

import layout
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestkd.data import nih
from chestkd.data.nih_tables import LayoutError
from chestkd.findings import FINDINGS, encode


@pytest.fixture
def folder(tmp_path):
    return layout.write(tmp_path / "data")


def lines_of(path):
    return path.read_text().splitlines()


def change(path, line, pattern, replacement):
    """Replace within one line of a file; line 1 is the first."""
    lines = lines_of(path)
    lines[line - 1], count = re.subn(pattern, replacement, lines[line - 1], count=1)
    assert count == 1
    path.write_text("\n".join(lines))


def failure(folder, **arguments):
    with pytest.raises(LayoutError) as error:
        nih.read(folder, **arguments)
    return str(error.value)


# What is read


def test_every_column_is_read(folder):
    data = nih.read(folder)
    rows = [line.split(",") for line in lines_of(folder / layout.LABELS)[1:]]
    columns = list(zip(*rows, strict=True))
    assert data.name == "ChestX-ray14"
    assert data.note == "32 of 32 listed images"
    assert len(data) == 32
    assert list(data.table["image"]) == sorted(columns[0])
    assert list(data.table["follow_up"]) == [int(text) for text in columns[2]]
    assert list(data.table["patient"]) == [int(text) for text in columns[3]]
    assert list(data.table["age"]) == [float(text) for text in columns[4]]
    assert list(data.table["sex"]) == list(columns[5])
    assert list(data.table["view"]) == list(columns[6])
    assert set(data.table["original_width"]) == {2500}
    assert set(data.table["original_height"]) == {2048}
    assert set(data.table["spacing_x"]) == set(data.table["spacing_y"]) == {0.168}
    assert data.labels.dtype == np.uint8
    assert data.labels.tolist() == [encode(label).tolist() for label in columns[1]]
    test_images = set(lines_of(folder / "test_list.txt"))
    for image, listed in zip(data.table["image"], data.table["listed"], strict=True):
        assert listed == ("test" if image in test_images else "train_val")


def test_labels_cannot_be_changed_by_accident(folder):
    with pytest.raises(ValueError):
        nih.read(folder).labels[0, 0] = 1


def test_an_image_is_decoded_when_asked_for(folder):
    (folder / "images" / "00000002_001.png").write_bytes(
        layout.png(np.arange(6, dtype=np.uint8).reshape(2, 3))
    )
    data = nih.read(folder)
    row = list(data.table["image"]).index("00000002_001.png")
    assert data.image(row).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_boxes_are_fractions_of_the_frame_and_scale_to_the_image(folder):
    name = lines_of(folder / "test_list.txt")[0]
    (folder / layout.BOXES).write_text(
        f"{layout.BOX_HEADER}\n{name},Infiltrate,256,512,128,64\n{name},Mass,0,0,1024,1024\n"
    )
    data = nih.read(folder)
    row = list(data.table["image"]).index(name)
    assert data.boxes.to_dict("records") == [
        {"row": row, "image": name, "finding": "Infiltration"}
        | {"x": 0.25, "y": 0.5, "w": 0.125, "h": 0.0625},
        {"row": row, "image": name, "finding": "Mass", "x": 0, "y": 0, "w": 1, "h": 1},
    ]
    pixels = data.boxes_of(row, height=100, width=200)
    assert pixels.to_dict("records") == [
        {"finding": "Infiltration", "x": 50, "y": 50, "w": 25, "h": 6.25},
        {"finding": "Mass", "x": 0, "y": 0, "w": 200, "h": 100},
    ]
    assert data.boxes_of(0, 10, 10).empty


def test_a_folder_with_the_generators_specification_is_a_phantom(tmp_path):
    assert nih.read(layout.write(tmp_path / "data", phantom=True)).name == "PHANTOM"


def test_take_keeps_rows_labels_files_and_boxes_together(folder):
    data = nih.read(folder)
    boxed = int(data.boxes["row"].iloc[-1])
    part = data.take(np.array([boxed, 0]))
    assert list(part.table["image"]) == list(data.table["image"].iloc[[0, boxed]])
    assert part.labels.tolist() == data.labels[[0, boxed]].tolist()
    assert part.paths == (data.paths[0], data.paths[boxed])
    assert set(part.boxes["row"]) == {1}
    assert part.boxes_of(1, 8, 8).equals(data.boxes_of(boxed, 8, 8))
    assert part.note == "2 of 32 of 32 listed images"
    assert part.fingerprint != data.fingerprint
    assert data.take(np.arange(32)).fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("rows", "error"), [([0, 0], ValueError), ([32], IndexError), ([-1], IndexError)]
)
def test_take_refuses_rows_that_are_not_there(folder, rows, error):
    with pytest.raises(error):
        nih.read(folder).take(np.array(rows))


def test_take_of_nothing_is_an_error(folder):
    with pytest.raises(ValueError, match="has no images"):
        nih.read(folder).take(np.array([], int))


# Editions and mirrors


def as_gzip(folder):
    for path in [*folder.glob("*.csv"), *folder.glob("*.txt")]:
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def with_windows_line_ends_and_byte_order_mark(folder):
    for path in [*folder.glob("*.csv"), *folder.glob("*.txt")]:
        text = "\r\n".join([*lines_of(path), ""])
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def with_a_last_line_end(folder):
    for path in folder.glob("*.txt"):
        path.write_text(path.read_text() + "\n")


def without_a_last_line_end(folder):
    for path in folder.glob("*.csv"):
        path.write_text(path.read_text().rstrip("\n"))


def in_another_order(folder):
    for path in [*folder.glob("*.csv"), *folder.glob("*.txt")]:
        first, *rest = lines_of(path)
        path.write_text("\n".join([first, *rest[::-1]]))


def with_findings_in_another_order(folder):
    path = folder / layout.LABELS
    rows = [line.split(",") for line in lines_of(path)]
    for row in rows[1:]:
        row[1] = "|".join(reversed(row[1].split("|")))
    path.write_text("\n".join(",".join(row) for row in rows))


def as_the_2017_edition(folder):
    text = (folder / layout.LABELS).read_text()
    text = re.sub(r",(\d\d),([MF]),", r",0\1Y,\2,", text)
    (folder / "Data_Entry_2017.csv").write_text(text.replace("\n", ",\n"))
    (folder / layout.LABELS).unlink()


def with_a_comma_after_the_header_only(folder):
    path = folder / layout.LABELS
    path.write_text(path.read_text().replace("\n", ",\n", 1))


def with_commas_after_the_boxes(folder):
    path = folder / layout.BOXES
    path.write_text(path.read_text().replace("\n", ",,,\n"))


def with_sex_and_quoted_names(folder):
    path = folder / layout.LABELS
    path.write_text(
        path.read_text()
        .replace("Patient Gender", "Patient Sex")
        .replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"')
    )


def in_twelve_folders(folder):
    for number, path in enumerate(sorted((folder / "images").iterdir())):
        part = folder / f"images_{number % 12 + 1:03}" / "images"
        part.mkdir(parents=True, exist_ok=True)
        path.rename(part / path.name)
    (folder / "images").rmdir()


def with_boxes_to_more_places(folder):
    path = folder / layout.BOXES
    path.write_text(re.sub(r"(\.\d{7})", r"\g<1>49", path.read_text()))


def with_what_unpackers_leave_behind(folder):
    for name in ("._00000001_000.png", ".DS_Store", "Thumbs.db"):
        (folder / "images" / name).write_bytes(b"")


@pytest.mark.parametrize(
    "mirror",
    [
        as_gzip,
        as_the_2017_edition,
        in_another_order,
        in_twelve_folders,
        with_a_comma_after_the_header_only,
        with_a_last_line_end,
        with_boxes_to_more_places,
        with_commas_after_the_boxes,
        with_findings_in_another_order,
        with_sex_and_quoted_names,
        with_what_unpackers_leave_behind,
        with_windows_line_ends_and_byte_order_mark,
        without_a_last_line_end,
    ],
)
def test_a_mirror_of_the_same_values_is_the_same_data(folder, mirror):
    original = nih.read(folder)
    mirror(folder)
    copy = nih.read(folder)
    assert copy.fingerprint == original.fingerprint
    assert copy.table.equals(original.table)
    assert copy.labels.tolist() == original.labels.tolist()
    assert [path.name for path in copy.paths] == [path.name for path in original.paths]
    assert np.allclose(copy.boxes[list("xywh")], original.boxes[list("xywh")], atol=1e-9)


@pytest.mark.parametrize(
    ("file_name", "pattern", "replacement"),
    [
        (layout.LABELS, r"png,[^,]*,", "png,Hernia|Edema|Fibrosis|Mass,"),
        (layout.LABELS, r",0,(\d+),", r",7,\1,"),
        (layout.LABELS, r",4(\d),([MF])", r",5\1,\2"),
        (layout.LABELS, r",[MF],", lambda match: ",M," if match[0] == ",F," else ",F,"),
        (layout.LABELS, r",(PA|AP),", lambda match: ",AP," if match[1] == "PA" else ",PA,"),
        (layout.LABELS, ",2500,", ",2501,"),
        (layout.LABELS, ",2048,", ",2049,"),
        (layout.LABELS, r",0.168,", ",0.169,"),
        (layout.LABELS, r",0.168$", ",0.169"),
        (layout.BOXES, r",[A-Z][a-z]+,", ",Hernia,"),
        (layout.BOXES, r"(\d)\.\d+$", r"\1.99"),
        (layout.BOXES, r"(,[\d.]+){4}$", ",1,2,3,4"),
    ],
)
def test_any_other_value_is_other_data(folder, file_name, pattern, replacement):
    before = nih.read(folder).fingerprint
    change(folder / file_name, 2, pattern, replacement)
    assert nih.read(folder).fingerprint != before


def test_another_list_or_one_image_less_is_other_data(folder):
    before = nih.read(folder).fingerprint
    train_val, test = (folder / name for name in layout.LISTS.values())
    first, *rest = lines_of(train_val)
    train_val.write_text("\n".join(rest))
    test.write_text("\n".join([first, *lines_of(test)]))
    moved = nih.read(folder).fingerprint
    (folder / "images" / first).unlink()
    assert len({before, moved, nih.read(folder, allow_partial=True).fingerprint}) == 3


def test_a_phantom_with_equal_values_is_other_data(tmp_path):
    folders = [layout.write(tmp_path / str(flag), phantom=flag) for flag in (False, True)]
    assert nih.read(folders[0]).fingerprint != nih.read(folders[1]).fingerprint


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("0", 0), ("95", 95), ("058Y", 58), ("122", 122), ("414", np.nan), ("123", np.nan)),
        *(("011M", 0), ("013M", 1), ("027M", 2), ("001D", 0), ("731D", 2)),
    ],
)
def test_ages_are_whole_years_or_unknown(folder, text, years):
    change(folder / layout.LABELS, 2, r",\d+,([MF])", rf",{text},\1")
    data = nih.read(folder)
    np.testing.assert_equal(data.table["age"][0], years)
    assert ("; 1 ages above 122 years left out" in data.note) == np.isnan(years)


# Partial copies


def test_a_partial_copy_is_an_error_that_counts(folder):
    (folder / "images" / "00000005_001.png").unlink()
    message = failure(folder)
    assert f"{folder} is a partial copy: 31 of 32 listed images are there" in message
    assert "not for example 00000005_001.png" in message
    assert "allow_partial=True" in message


def test_an_allowed_partial_copy_says_so_once_and_is_read(folder, capsys):
    removed = lines_of(folder / "test_list.txt")[0]
    for name in (removed, "00000005_001.png"):
        (folder / "images" / name).unlink()
    data = nih.read(folder, allow_partial=True)
    assert capsys.readouterr().err.count("30 of 32 listed images") == 1
    assert data.note == "30 of 32 listed images"
    assert len(data.table) == len(data.labels) == len(data.paths) == 30
    assert list(data.table.index) == list(range(30))
    assert removed not in set(data.boxes["image"])
    images = data.table["image"].to_numpy()
    assert list(images[data.boxes["row"]]) == list(data.boxes["image"])


def test_a_whole_copy_says_nothing(folder, capsys):
    nih.read(folder, allow_partial=True)
    assert capsys.readouterr().err == ""


def test_a_copy_without_any_image_is_always_an_error(folder):
    shutil.rmtree(folder / "images")
    assert "neither images/ nor images_001/images/" in failure(folder, allow_partial=True)
    (folder / "images").mkdir()
    assert "0 of 32 listed images" in failure(folder, allow_partial=True)


# What is wrong with a file


LABEL_MISTAKES = [
    (r"^\d+_\d+", "1_0", "expected an image name such as 00000001_000.png, found '1_0.png'"),
    (r"^0", "٠", "expected an image name such as 00000001_000.png, found '٠"),
    (r"png,[^,]*", "png,Oedema", "unknown finding 'Oedema'; allowed: Atelectasis"),
    (r"png,[^,]*", "png,", "unknown finding ''"),
    (r"png,[^,]*", "png,Edema|Edema", "finding 'Edema' is repeated"),
    (r",\d+,(\d+),(\d+),([MF])", r",x,\1,\2,\3", "expected a follow-up number, a whole number"),
    (r",(\d+),(\d+),([MF])", r",17,\2,\3", "is not of patient 17"),
    (r",(\d+),(\d+),([MF])", r",-3,\2,\3", "expected a patient id, a whole number, found '-3'"),
    (r",\d+,([MF])", r",,\1", "expected an age such as 58 or 058Y, found ''"),
    (r",\d+,([MF])", r",58W,\1", "expected an age such as 58 or 058Y, found '58W'"),
    (r",[MF],", ",X,", "expected the sex, M or F, found 'X'"),
    (r",(PA|AP),", ",LL,", "expected the view, PA or AP, found 'LL'"),
    (",2500,", ",0,", "expected a size in pixels, found '0'"),
    (r"0.168$", "nan", "expected a pixel spacing in mm, found 'nan'"),
    (r",0.168$", "", "expected 11 fields, found 10"),
    ("$", ",7", "expected 11 fields, found 12"),
    ("png", 'png"', "expected an image name such as 00000001_000.png"),
]


@pytest.mark.parametrize(("pattern", "replacement", "message"), LABEL_MISTAKES)
@pytest.mark.parametrize("line", [2, 20, 33])
def test_a_malformed_label_row_is_named(folder, pattern, replacement, message, line):
    change(folder / layout.LABELS, line, pattern, replacement)
    text = failure(folder)
    assert message in text
    assert text.startswith(f"{folder / layout.LABELS}, line {line}: ")


BOX_MISTAKES = [
    (r"^\d+", "00009999", "a box on 00009999_000.png, which the label table does not list"),
    (r",[A-Z][a-z]+,", ",Infiltrates,", "unknown finding 'Infiltrates'"),
    (r",[A-Z][a-z]+,", ",No Finding,", "unknown finding 'No Finding'"),
    (r",[\d.]+$", ",", "expected h of a box in pixels, found ''"),
    (r",[\d.]+$", "", "expected 6 fields, found 5"),
    (r",[\d.]+$", ",-4", "expected h of a box in pixels, found '-4'"),
    (r",[\d.]+$", ",0", "must have a positive size and lie within the 1024 x 1024 frame"),
    (r",[\d.]+,([\d.]+)$", r",1000,\1", "1024 x 1024 frame, not have x="),
    (r",[\d.]+$", ",1000", "1024 x 1024 frame, not have y="),
]


@pytest.mark.parametrize(("pattern", "replacement", "message"), BOX_MISTAKES)
def test_a_malformed_box_is_named(folder, pattern, replacement, message):
    change(folder / layout.BOXES, 3, pattern, replacement)
    text = failure(folder)
    assert message in text
    assert text.startswith(f"{folder / layout.BOXES}, line 3: ")


def test_lines_are_counted_across_blank_ones(folder):
    path = folder / layout.LABELS
    lines = lines_of(path)
    path.write_text("\n".join([*lines[:5], "", *lines[5:]]))
    assert len(nih.read(folder)) == 32
    change(path, 9, r",[MF],", ",X,")
    assert f"{path}, line 9: expected the sex" in failure(folder)


def test_repeated_rows_are_named(folder):
    for file_name, kind in ((layout.LABELS, "image"), (layout.BOXES, "box")):
        path = folder / file_name
        text = path.read_text()
        path.write_text(text + lines_of(path)[2] + "\n")
        last = len(lines_of(path))
        message = failure(folder)
        assert f"{path}, line {last}: {kind} 0" in message
        assert "is repeated; first on line 3" in message
        path.write_text(text)


@pytest.mark.parametrize(
    ("file_name", "text", "message"),
    [
        (layout.LABELS, "", "line 1: expected the header ImageIndex,FindingLabels,"),
        (layout.LABELS, "a,b\n1,2\n", "found 'a,b'"),
        (layout.LABELS, layout.LABEL_HEADER, "expected rows after the header, found none"),
        (layout.BOXES, "<html>", "line 1: expected the header ImageIndex,FindingLabel,Bbox"),
        (layout.BOXES, layout.BOX_HEADER + '\n"0,1', "line 2: unexpected end of data"),
        ("test_list.txt", "", "expected one image name per line, found none"),
        ("test_list.txt", "00000003_000.png\n3.png", "line 2: expected an image name"),
        ("test_list.txt", "00000003_000.png\n" * 2, "line 2: image 00000003_000.png is repeated"),
    ],
)
def test_a_file_with_other_content_is_named(folder, file_name, text, message):
    (folder / file_name).write_text(text)
    error = failure(folder)
    assert error.startswith(str(folder / file_name))
    assert message in error


@pytest.mark.parametrize("data", [b"\x1f\x8b", b"no gzip", gzip.compress(b"x" * 99, mtime=0)[:-9]])
def test_a_broken_gzip_file_is_named(folder, data):
    (folder / layout.BOXES).unlink()
    (folder / f"{layout.BOXES}.gz").write_bytes(data)
    assert f"{folder / layout.BOXES}.gz: not a complete gzip file" in failure(folder)


def test_bytes_that_are_not_text_are_named(folder):
    (folder / layout.LABELS).write_bytes(b"\xff\xfe\x00")
    assert f"{folder / layout.LABELS}: not a text file in UTF-8" in failure(folder)


# What is wrong with the folder


@pytest.mark.parametrize("file_name", [layout.LABELS, layout.BOXES, *layout.LISTS.values()])
def test_a_missing_file_is_named(folder, file_name):
    (folder / file_name).unlink()
    assert f"{folder} has no {file_name}" in failure(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert f"{tmp_path / 'none'} is not a folder" in failure(tmp_path / "none")


def test_two_label_tables_are_refused(folder):
    shutil.copy(folder / layout.LABELS, folder / "Data_Entry_2017.csv")
    assert f"has both {layout.LABELS} and Data_Entry_2017.csv; keep one" in failure(folder)


def test_an_image_in_no_list_is_named(folder):
    path = folder / "train_val_list.txt"
    removed, *rest = lines_of(path)
    path.write_text("\n".join(rest))
    assert "1 images of" in failure(folder)
    assert f"are in no official list, such as {removed}" in failure(folder)


def test_an_image_in_both_lists_is_named(folder):
    train_val, test = (folder / name for name in layout.LISTS.values())
    both = lines_of(train_val)[4]
    test.write_text("\n".join([*lines_of(test), both]))
    assert f"{test} names 1 images that are also in the other official list" in failure(folder)
    assert f"such as {both}" in failure(folder)


def test_a_listed_image_missing_from_the_table_is_named(folder):
    path = folder / "test_list.txt"
    path.write_text(path.read_text() + "\n00009999_000.png")
    assert f"{path} names 1 images that {layout.LABELS} does not list" in failure(folder)


def test_an_image_file_missing_from_the_table_is_named(folder):
    extra = folder / "images" / "00009999_000.png"
    extra.write_bytes(b"")
    assert f"{extra} is not in the label table" in failure(folder, allow_partial=True)


def test_an_image_file_in_two_folders_is_named(folder):
    (folder / "images_003" / "images").mkdir(parents=True)
    again = folder / "images_003" / "images" / "00000001_000.png"
    shutil.copy(folder / "images" / again.name, again)
    assert f"{again} is a second {again.name}; the first is {folder}/images/" in failure(folder)


@given(
    line=st.integers(1, 33),
    start=st.integers(0, 60),
    text=st.text(st.characters(codec="utf-8"), max_size=5),
)
def test_whatever_is_typed_into_the_table_is_read_or_refused(tmp_path_factory, line, start, text):
    folder = tmp_path_factory.getbasetemp() / "typed"
    if not folder.exists():
        layout.write(folder)
    path = folder / layout.LABELS
    original = path.read_text()
    lines = original.splitlines()
    lines[line - 1] = lines[line - 1][:start] + text + lines[line - 1][start + len(text) :]
    path.write_bytes("\n".join(lines).encode())
    # Anything but a LayoutError fails the test.
    with contextlib.suppress(LayoutError):
        data = nih.read(folder)
        assert len(data) == 32
        assert data.labels.shape == (32, len(FINDINGS))
    path.write_text(original)
