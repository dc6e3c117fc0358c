"""The four splits of a data set into training, validation and test.

`official` and `community` are facts about ChestX-ray14's patients; a table of all 30,805 with both
ships with the package.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from chestkd.data.dataset import NIH_NAME, Dataset

IMAGE_WISE = "image-wise"
SPLITS = ("official", "community", "random", IMAGE_WISE)
PARTS = ("train", "validation", "test")

# Of all images, by `random` and `image-wise`: the paper's 70/10/20.
VALIDATION_SHARE = 0.1
TEST_SHARE = 0.2
# Of the official train_val list: the paper's 10 of 80.
OFFICIAL_VALIDATION_SHARE = 1 / 8


class SplitError(ValueError):
    """A split that this data set cannot have, or results of two splits that cannot be compared."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set for training, validation and test; each image is in one of them."""

    name: str
    #: Rows of the data set's table in increasing order: (n,), int64.
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    #: 64 hexadecimal digits of which image is in which part, whatever the name and seed.
    fingerprint: str
    #: Seed of the draw; `community` draws nothing.
    seed: int
    #: Whether images of one patient may be in two parts: only the image-wise split, on purpose.
    leaks: bool


def split(dataset: Dataset, name: str, *, seed: int = 0) -> Split:
    """Split a data set.

    - `official`: NIH's test list; validation is drawn by patient from the train_val list, one
      eighth of its images.
    - `community`: 70/10/20 of NIH's patients, as in most public CheXNet code and in ChestMNIST.
    - `random`: 70/10/20 of the images, drawn by patient.
    - `image-wise`: 70/10/20 of the images, drawn by image. It leaks: most patients of its test
      part are also in its training part. It exists only to show the effect.

    Raises SplitError for an unknown name, for a patient in two parts, for an empty part, and for a
    community split of patients that are not NIH's.
    """
    parts = assign_parts(dataset.name, dataset.table, name, seed=seed)
    rows = {part: np.flatnonzero(parts == part).astype(np.int64) for part in PARTS}
    fingerprint = _fingerprint(dataset.table["image"], parts)
    return Split(name, **rows, fingerprint=fingerprint, seed=seed, leaks=name == IMAGE_WISE)


def assign_parts(dataset_name: str, table: pd.DataFrame, name: str, *, seed: int = 0) -> np.ndarray:
    """The part that `split` puts each of N images into, (N,): "train", "validation" or "test".

    ``table`` (N rows) needs the columns image, patient and listed of `Dataset.table` only.
    """
    if name not in SPLITS:
        raise SplitError(f"unknown split {name!r}; allowed: {', '.join(SPLITS)}")
    generator = np.random.default_rng(seed)
    patients = table["patient"].to_numpy()
    if name == "official":
        parts = _official(patients, table["listed"].to_numpy(str), generator)
    elif name == "community":
        parts = _community(dataset_name, table)
    elif name == "random":
        parts = _draw(patients, generator)
    else:
        parts = _draw(np.arange(len(table)), generator)
    _check(patients, name, parts)
    return parts


def require_same_split(trained: str, evaluated: str, what: str = "these weights") -> None:
    """Raise SplitError unless two split fingerprints are equal.

    Weights trained on one split must never be evaluated on another's test images: 17,920 of the
    official test images are in the community training part.
    """
    if trained != evaluated:
        raise SplitError(
            f"{what} were trained on split {trained[:12]} and cannot be evaluated on split "
            f"{evaluated[:12]}: its test images may be among their training images"
        )


@cache
def patient_table() -> pd.DataFrame:
    """NIH's 30,805 patients: index patient_id, columns official (train_val, test) and community
    (train, val, test).
    """
    source = resources.files("chestkd.data") / "patient_splits.csv.gz"
    with source.open("rb") as file:
        return pd.read_csv(file, compression="gzip", index_col="patient_id")


def _official(
    patients: np.ndarray, listed: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    train_val = listed == "train_val"
    drawn = _draw_groups(patients[train_val], (OFFICIAL_VALIDATION_SHARE,), generator)
    parts = np.full(len(patients), "test", "<U10")
    parts[train_val] = np.where(drawn == 0, "validation", "train")
    return parts


def _community(dataset_name: str, table: pd.DataFrame) -> np.ndarray:
    if dataset_name != NIH_NAME:
        raise SplitError(
            f"the community split is of {NIH_NAME}'s patients, not of {dataset_name}'s; "
            "use official or random"
        )
    known = patient_table().reindex(table["patient"])
    expected = known["official"].fillna("no list").to_numpy(str)
    listed = table["listed"].to_numpy(str)
    other = expected != listed
    if other.any():
        row = int(other.argmax())
        raise SplitError(
            f"these are not {NIH_NAME}'s patients, so there is no community split of them: "
            f"{table['image'][row]} is in the list {listed[row]}, but by the "
            f"{len(patient_table()):,}-patient table patient {table['patient'][row]} is "
            f"in {expected[row]}"
        )
    return known["community"].replace("val", "validation").to_numpy(str)


def _draw(groups: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    drawn = _draw_groups(groups, (TEST_SHARE, VALIDATION_SHARE), generator)
    return np.array(["test", "validation", "train"])[drawn]


def _draw_groups(
    groups: np.ndarray, shares: tuple[float, ...], generator: np.random.Generator
) -> np.ndarray:
    """For each row, the number of the share that its group was drawn into; the rest come last.

    Groups come in random order; each share takes whole groups as long as the next one brings it
    closer to its part of the rows.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(sizes))
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    # Taking a group brings a share closer exactly if the group's middle is before the share's end.
    share_of = np.searchsorted(np.cumsum(shares) * len(groups), middles, side="left")
    drawn = np.empty(len(sizes), np.int64)
    drawn[order] = share_of
    return drawn[group]


def _check(patients: np.ndarray, name: str, parts: np.ndarray) -> None:
    for part in PARTS:
        if not (parts == part).any():
            raise SplitError(
                f"the {part} part of the {name} split is empty: {len(patients):,} images of "
                f"{len(np.unique(patients)):,} patients are too few, or all in one part"
            )
    if name == IMAGE_WISE:
        return
    parts_by_patient = pd.Series(parts).groupby(patients).unique()
    shared = parts_by_patient[parts_by_patient.str.len() > 1]
    if len(shared):
        raise SplitError(
            f"the {name} split leaks: {len(shared):,} patients have images in two parts, such as "
            f"patient {shared.index[0]} in {' and '.join(shared.iloc[0])}"
        )


def _fingerprint(images: pd.Series, parts: np.ndarray) -> str:
    lines = [f"{image} {part}" for image, part in zip(images, parts, strict=True)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
