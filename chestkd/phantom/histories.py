"""The anonymized label histories of ChestX-ray14's patients that the phantom's patients borrow."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from chestkd.findings import encode

REAL = Path(__file__).parent / "real"


@dataclass(frozen=True)
class Histories:
    """The label histories of the 30,805 real patients, end to end.

    - `start`: (patients + 1,) first image of each patient in the arrays below.
    - `test`, `female`: (patients,) bool.
    - `age`: (images,) years.
    - `code`: (images,) row of the joint table.
    - `views`: (codes,) "PA" or "AP".
    - `labels`: (codes, 14) uint8 multi-hot label sets.
    """

    start: np.ndarray
    test: np.ndarray
    female: np.ndarray
    age: np.ndarray
    code: np.ndarray
    views: np.ndarray
    labels: np.ndarray

    def of_images(self, values: np.ndarray) -> np.ndarray:
        """Values of the patients, repeated for each of their images."""
        return np.repeat(values, np.diff(self.start))


@cache
def real_histories() -> Histories:
    """The histories shipped with the library (`benchmarks/phantom_tables.py` computes them)."""
    table = pd.read_csv(REAL / "label_sets.csv")
    patients = pd.read_csv(REAL / "histories.csv.gz", keep_default_na=False)
    codes = [np.array(codes.split(), int) for codes in patients["codes"].astype(str)]
    years = [
        np.array(years.split(), int) if years else np.zeros(len(own), int)
        for years, own in zip(patients["years"], codes, strict=True)
    ]
    ages = [age + np.cumsum(own) for age, own in zip(patients["age"], years, strict=True)]
    return Histories(
        start=np.concatenate([[0], np.cumsum([len(own) for own in codes])]),
        test=patients["test"].to_numpy(bool),
        female=patients["female"].to_numpy(bool),
        age=np.concatenate(ages),
        code=np.concatenate(codes),
        views=table["view"].to_numpy(str),
        labels=np.stack([encode(labels) for labels in table["labels"]]),
    )
