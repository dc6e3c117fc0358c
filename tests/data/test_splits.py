import gzip

import layout
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestkd.data import nih, splits
from chestkd.data.dataset import Dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return nih.read(layout.write(tmp_path_factory.mktemp("splits") / "data"))


def dataset(patients, listed, name="ChestX-ray14"):
    """One image for each entry of `patients`, without files."""
    table = pd.DataFrame(
        {
            "image": [f"{patient:08}_{row:03}.png" for row, patient in enumerate(patients)],
            "patient": patients,
            "listed": listed,
        }
    )
    boxes = pd.DataFrame(
        {"row": [], "image": [], "finding": [], "x": [], "y": [], "w": [], "h": []}
    )
    labels = np.zeros((len(table), 14))
    return Dataset.with_fingerprint(name, None, table, labels, (None,) * len(table), boxes, "")


def patients_of(data, rows):
    return set(data.table["patient"].iloc[rows])


@pytest.mark.parametrize("name", splits.SPLITS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_image_is_in_one_part(data, name, seed):
    split = splits.split(data, name, seed=seed)
    parts = (split.train, split.validation, split.test)
    assert all(len(rows) and rows.dtype == np.int64 for rows in parts)
    assert all((np.diff(rows) > 0).all() for rows in parts)
    assert sorted(np.concatenate(parts)) == list(range(len(data)))
    assert (split.name, split.seed) == (name, seed)


@pytest.mark.parametrize("name", ["official", "community", "random"])
def test_no_patient_is_in_two_parts(data, name):
    split = splits.split(data, name)
    parts = [patients_of(data, rows) for rows in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert not split.leaks


def test_the_image_wise_split_leaks_and_says_so(data):
    split = splits.split(data, "image-wise")
    assert split.leaks
    assert patients_of(data, split.train) & patients_of(data, split.test)


def test_official_test_part_is_the_list_of_the_folder(data):
    split = splits.split(data, "official")
    assert set(data.table["listed"].iloc[split.test]) == {"test"}
    others = np.concatenate([split.train, split.validation])
    assert set(data.table["listed"].iloc[others]) == {"train_val"}


def test_community_parts_are_those_of_the_table(data):
    split = splits.split(data, "community")
    # Of NIH's first 16 patients, by the shipped table.
    assert patients_of(data, split.validation) == {12}
    assert patients_of(data, split.test) == {10, 15}


def test_shares_by_hand():
    # 40 patients of two images each: 8 patients for test, 4 for validation; of the official
    # train_val list, 32 patients, one eighth.
    patients = np.repeat(np.arange(1, 41), 2)
    data = dataset(patients, np.where(patients <= 32, "train_val", "test"))
    for name, expected in (("random", (56, 8, 16)), ("official", (56, 8, 16))):
        split = splits.split(data, name)
        assert (len(split.train), len(split.validation), len(split.test)) == expected
    split = splits.split(data, "image-wise")
    assert (len(split.train), len(split.validation), len(split.test)) == (56, 8, 16)


@given(
    visits=st.lists(st.integers(1, 9), min_size=60, max_size=120),
    seed=st.integers(0, 2**32 - 1),
)
def test_drawn_parts_are_off_by_no_more_than_half_a_patient(visits, seed):
    patients = np.repeat(np.arange(len(visits)), visits)
    split = splits.split(dataset(patients, "test"), "random", seed=seed)
    count, half = len(patients), max(visits) / 2
    assert abs(len(split.test) - 0.2 * count) <= half
    assert abs(len(split.test) + len(split.validation) - 0.3 * count) <= half


@pytest.mark.parametrize("name", ["official", "random", "image-wise"])
def test_the_seed_decides_what_is_drawn(data, name):
    fingerprints = [splits.split(data, name, seed=seed).fingerprint for seed in (0, 0, 1)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_nothing_is_drawn_for_the_community_split(data):
    seeds = [splits.split(data, "community", seed=seed).fingerprint for seed in (0, 1)]
    assert seeds[0] == seeds[1]


def test_different_splits_have_different_fingerprints(data):
    assert len({splits.split(data, name).fingerprint for name in splits.SPLITS}) == 4


def test_the_draw_does_not_touch_the_global_generator(data):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    splits.split(data, "random")
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


# Refusals


def test_an_unknown_split_is_refused(data):
    with pytest.raises(splits.SplitError, match="unknown split 'offical'; allowed: official, comm"):
        splits.split(data, "offical")


def test_a_phantom_has_no_community_split(tmp_path):
    data = nih.read(layout.write(tmp_path / "data", phantom=True))
    with pytest.raises(splits.SplitError, match=r"ChestX-ray14's patients, not of PHANTOM's"):
        splits.split(data, "community")


def test_other_patients_have_no_community_split():
    # Patients 1 and 3 are in NIH's lists train_val and test; there is no patient 30,806.
    for patients, listed, message in (
        (
            [1, 3],
            ["train_val", "train_val"],
            "_001.png is in the list train_val, but by the 30,805-p",
        ),
        ([1, 30806], ["train_val", "test"], "patient 30806 is in no list"),
    ):
        with pytest.raises(splits.SplitError) as error:
            splits.split(dataset(patients, listed), "community")
        assert message in str(error.value)


def test_a_patient_in_both_official_lists_is_refused():
    patients = np.repeat(np.arange(1, 41), 2)
    listed = np.where(np.arange(80) < 65, "train_val", "test")
    with pytest.raises(splits.SplitError) as error:
        splits.split(dataset(patients, listed), "official")
    assert "the official split leaks: 1 patients have images in two parts" in str(error.value)
    assert "patient 33" in str(error.value)


@pytest.mark.parametrize(
    ("name", "patients", "listed", "part"),
    [
        ("official", range(1, 41), "train_val", "test"),
        ("official", range(1, 41), "test", "train"),
        ("official", [1] * 40 + [2], ["train_val"] * 40 + ["test"], "validation"),
        ("random", [1] * 40, "test", "validation"),
        ("image-wise", [1, 2], "test", "test"),
        ("community", [1, 2, 4], "train_val", "validation"),
    ],
)
def test_an_empty_part_is_refused(name, patients, listed, part):
    with pytest.raises(splits.SplitError, match=f"the {part} part of the {name} split is empty"):
        splits.split(dataset(np.array(patients), listed), name)


def test_weights_of_one_split_never_meet_another(data):
    official, community = (splits.split(data, name) for name in ("official", "community"))
    splits.require_same_split(official.fingerprint, official.fingerprint)
    with pytest.raises(splits.SplitError, match="a teacher were trained on split"):
        splits.require_same_split(official.fingerprint, community.fingerprint, "a teacher")


def test_the_shipped_table_is_the_given_one(shared):
    given_table = gzip.decompress((shared / "data" / "patient_splits.csv.gz").read_bytes())
    shipped = splits.resources.files("chestkd.data") / "patient_splits.csv.gz"
    assert gzip.decompress(shipped.read_bytes()) == given_table
    # No name and no time in the header: the same bytes whenever it is made.
    assert shipped.read_bytes()[3:8] == bytes(5)


def test_the_shipped_table_by_its_counts():
    table = splits.patient_table()
    assert table.index.tolist() == list(range(1, 30806))
    assert table["official"].value_counts().to_dict() == {"train_val": 28008, "test": 2797}
    counts = {"train": 21528, "val": 3090, "test": 6187}
    assert table["community"].value_counts().to_dict() == counts
