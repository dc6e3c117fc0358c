"""Every number that is known about ChestX-ray14, counted again from NIH's own files."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from chestkd.data import nih, nih_tables, splits
from chestkd.data.dataset import Dataset
from chestkd.findings import FINDINGS, decode, finding_index

# Images, official train_val / test, ratio of the prevalences test / train_val, share of AP views.
COUNTS = """
Infiltration        19894 13782 6112 1.50 .53
Effusion            13317  8659 4658 1.82 .51
Atelectasis         11559  8280 3279 1.34 .50
Nodule               6331  4708 1623 1.17 .34
Mass                 5782  4034 1748 1.46 .38
Pneumothorax         5302  2637 2665 3.42 .36
Consolidation        4667  2852 1815 2.15 .67
Pleural_Thickening   3385  2242 1143 1.72 .29
Cardiomegaly         2776  1707 1069 2.12 .44
Emphysema            2516  1423 1093 2.60 .40
Edema                2303  1378  925 2.27 .88
Fibrosis             1686  1251  435 1.18 .16
Pneumonia            1431   876  555 2.14 .56
Hernia                227   141   86 2.06 .15
No_Finding          60361 50500 9861 0.66 .35
"""
PERSISTENCE = {
    "Pneumothorax": 0.56,
    "Effusion": 0.49,
    "Hernia": 0.46,
    "Emphysema": 0.44,
    "Mass": 0.42,
    "Pneumonia": 0.13,
}
LIFT = {
    ("Edema", "Pneumonia"): 11.6,
    ("Emphysema", "Pneumothorax"): 6.3,
    ("Fibrosis", "Pleural_Thickening"): 3.5,
    ("Cardiomegaly", "Effusion"): 3.2,
    ("Mass", "Nodule"): 2.8,
    ("Atelectasis", "Consolidation"): 2.5,
    ("Atelectasis", "Effusion"): 2.4,
}
BOXES = {
    "Atelectasis": 180,
    "Effusion": 153,
    "Cardiomegaly": 146,
    "Infiltration": 123,
    "Pneumonia": 120,
    "Pneumothorax": 98,
    "Mass": 85,
    "Nodule": 79,
}
LIST_SHA256 = {
    "train_val": "61fbe896321c1c1c8b75f3e4f3a08e4fef6486d95ef8a667c31d4d60dca6cb81",
    "test": "38ca5ef7f756092946f57c1a59faca882ed589a1ab1f72590b45dc06c6d5e1cc",
}


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "data" / "chestxray14-sample"


@pytest.fixture(scope="module")
def data(folder):
    """All of NIH's metadata as one data set, as if all images were there."""
    table, labels, boxes, impossible_ages = nih.read_metadata(folder)
    assert impossible_ages == 0
    boxes.insert(0, "row", np.searchsorted(table["image"].to_numpy(str), list(boxes["image"])))
    paths = tuple(folder / "images" / image for image in table["image"])
    return Dataset.with_fingerprint(
        "ChestX-ray14", folder, table, labels, paths, boxes, "metadata only"
    )


@pytest.fixture(scope="module")
def sample(folder):
    return nih.read(folder, allow_partial=True)


def in_test(data):
    return (data.table["listed"] == "test").to_numpy()


def visits(data):
    """Rows in the order of each patient's visits, and where the next row is the same patient."""
    rows = data.table.sort_values(["patient", "follow_up"]).index.to_numpy()
    patients = data.table["patient"].to_numpy()[rows]
    return rows, patients[1:] == patients[:-1]


def test_images_and_patients(data):
    per_patient = data.table["patient"].value_counts()
    assert len(data) == 112_120
    assert len(per_patient) == 30_805
    assert per_patient.max() == 184
    assert (per_patient == 1).sum() == 17_503
    assert data.table["sex"].value_counts().to_dict() == {"M": 63_340, "F": 48_780}
    assert data.table["view"].value_counts().to_dict() == {"PA": 67_310, "AP": 44_810}
    assert (data.table["age"].min(), data.table["age"].max()) == (0, 95)


def test_labels(data):
    per_image = np.bincount(data.labels.sum(axis=1))
    assert per_image.tolist() == [60361, 30963, 14306, 4856, 1247, 301, 67, 16, 1, 2]
    assert per_image[1:].sum() == 51_759
    assert len(np.unique(data.labels, axis=0)) == 801


@pytest.mark.parametrize("line", COUNTS.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_counts_of_a_finding(data, line):
    name, *numbers = line.split()
    if name == "No_Finding":
        present = data.labels.sum(axis=1) == 0
    else:
        present = data.labels[:, finding_index(name)] == 1
    test = in_test(data)
    counted = [
        *(present.sum(), present[~test].sum(), present[test].sum()),
        present[test].mean() / present[~test].mean(),
        (data.table["view"][present] == "AP").mean(),
    ]
    digits = [0, 0, 0, 2, 2]
    for value, places, number in zip(counted, digits, numbers, strict=True):
        assert abs(value - float(number)) <= 0.5001 * 10**-places


def test_official_lists(folder, data):
    for name, file_name in nih.IMAGE_LISTS.items():
        content = (folder / file_name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == LIST_SHA256[name]
        assert not content.endswith(b"\n")
    assert data.table["listed"].value_counts().to_dict() == {"train_val": 86_524, "test": 25_596}
    patients = data.table.groupby("listed")["patient"].nunique()
    assert patients.to_dict() == {"train_val": 28_008, "test": 2_797}


def test_the_official_test_list_is_shifted(data):
    test = in_test(data)
    view, patient = data.table["view"], data.table["patient"]
    assert round((view[~test] == "AP").mean(), 2) == 0.35
    assert round((view[test] == "AP").mean(), 2) == 0.57
    assert round((~test).sum() / patient[~test].nunique(), 1) == 3.1
    assert round(test.sum() / patient[test].nunique(), 1) == 9.2
    images_of_its_patient = patient.map(patient.value_counts())
    assert round((images_of_its_patient[test] >= 10).mean(), 2) == 0.83


def test_official_split(data):
    split = splits.split(data, "official")
    assert len(split.test) == 25_596
    # One eighth of 86,524 is 10,815.5; patients are taken whole.
    assert abs(len(split.validation) - 10_815.5) < 20
    assert len(split.train) + len(split.validation) == 86_524


def test_community_split(data):
    split = splits.split(data, "community")
    parts = (split.train, split.validation, split.test)
    assert [len(rows) for rows in parts] == [78_468, 11_219, 22_433]
    patients = [data.table["patient"].iloc[rows].nunique() for rows in parts]
    assert patients == [21_528, 3_090, 6_187]
    official = splits.split(data, "official")
    assert len(np.intersect1d(official.test, split.train)) == 17_920


def test_random_split_is_70_10_20(data):
    split = splits.split(data, "random")
    shares = [len(rows) / len(data) for rows in (split.train, split.validation, split.test)]
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.001)


def test_the_image_wise_split_leaks_four_in_five_test_images(data):
    split = splits.split(data, "image-wise")
    patients = data.table["patient"]
    trained_on = patients.iloc[split.test].isin(patients.iloc[split.train])
    assert abs(trained_on.mean() - 0.81) < 0.01


def test_boxes(data):
    boxes = data.boxes
    assert len(boxes) == 984
    assert boxes["image"].nunique() == 880
    assert data.table["patient"].iloc[boxes["row"]].nunique() == 726
    assert boxes["finding"].value_counts().to_dict() == BOXES
    assert set(data.table["listed"].iloc[boxes["row"]]) == {"test"}
    # The labels of 2020 name every finding that has a box.
    columns = [finding_index(finding) for finding in boxes["finding"]]
    assert data.labels[boxes["row"], columns].all()


def test_the_center_hits_most_hearts_and_no_nodule(data):
    boxes = data.boxes
    hits = np.ones(len(boxes), bool)
    for start, length in ("xw", "yh"):
        hits &= (boxes[start] <= 0.5) & (boxes[start] + boxes[length] >= 0.5)
    share = hits.groupby(boxes["finding"]).mean()
    assert share[["Cardiomegaly", "Infiltration", "Nodule"]].round(2).tolist() == [0.97, 0.23, 0]


def test_a_box_by_hand(data):
    # The first row of the list: 00013118_008.png,Atelectasis,225.08,547.02,86.78,79.19.
    row = int(data.table.index[data.table["image"] == "00013118_008.png"][0])
    box = data.boxes_of(row, 224, 224).iloc[0]
    assert box["finding"] == "Atelectasis"
    expected = np.array([225.0847458, 547.0192168, 86.77966102, 79.18644068]) * 224 / 1024
    np.testing.assert_allclose(box[list("xywh")].to_numpy(float), expected, rtol=1e-12)


@pytest.mark.parametrize(("finding", "expected"), PERSISTENCE.items())
def test_persistence(data, finding, expected):
    rows, followed = visits(data)
    present = data.labels[rows, finding_index(finding)] == 1
    now = present[:-1] & followed
    assert abs(present[1:][now].mean() - expected) <= 0.00501


def test_co_occurrence(data):
    labels = data.labels.astype(int)
    together = labels.T @ labels
    share = labels.mean(axis=0)
    lift = together / len(labels) / np.outer(share, share)
    for (one, other), expected in LIFT.items():
        assert abs(lift[finding_index(one), finding_index(other)] - expected) <= 0.0501
    pairs = np.triu(together, 1)
    assert pairs.max() == 4000
    largest = np.unravel_index(pairs.argmax(), pairs.shape)
    assert [FINDINGS[index] for index in largest] == ["Effusion", "Infiltration"]


def test_the_labels_of_51_images_are_not_in_alphabetical_order(folder):
    texts = pd.read_csv(folder / "Data_Entry_2017_v2020.csv.gz")["Finding Labels"]
    ordered = texts.map(lambda text: "|".join(sorted(text.split("|"))))
    assert (texts != ordered).sum() == 51
    assert (texts.nunique(), ordered.nunique()) == (836, 801)


def test_follow_up_is_the_suffix_in_the_2017_edition_only(data):
    suffixes = data.table["image"].str.slice(9, 12).astype(int)
    assert (suffixes != data.table["follow_up"]).any()


def test_rounding_of_a_mirror_cannot_change_the_fingerprint(data):
    # The fingerprint rounds to .01 of a pixel. Mirrors round at the seventh decimal: no box may
    # be so near to a border between two hundredths that this could decide.
    hundredths = data.boxes[list("xywh")].to_numpy() * 1024 * 100
    distance = np.abs(hundredths - np.floor(hundredths) - 0.5)
    assert distance.min() > 1e-7 * 100 * 10


def test_labels_survive_their_own_spelling(data):
    assert decode(data.labels[1]) == "Cardiomegaly|Emphysema"


# The sample of real radiographs


def test_sample_counts(sample):
    assert sample.name == "ChestX-ray14"
    assert sample.note == "2,272 of 112,120 listed images"
    assert sample.table["listed"].value_counts().to_dict() == {"train_val": 1951, "test": 321}


def test_the_sample_is_refused_unless_allowed(folder):
    with pytest.raises(nih_tables.LayoutError, match=r"2,272 of 112,120 listed images are there"):
        nih.read(folder)


@pytest.mark.parametrize("name", splits.SPLITS)
def test_sample_can_be_split(sample, name):
    split = splits.split(sample, name)
    assert min(len(split.train), len(split.validation), len(split.test)) > 100


def test_every_kind_of_file_in_the_sample_is_gray_at_its_size(sample):
    rows = [*range(3), *sample.boxes["row"].unique()[:12]]
    images = [sample.image(row) for row in rows]
    assert {image.shape for image in images} == {(224, 224), (1024, 1024)}
    assert all(image.dtype == np.uint8 and np.ptp(image) > 100 for image in images)
