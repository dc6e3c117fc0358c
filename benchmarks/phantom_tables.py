"""Recompute the shipped tables of real labels from NIH's metadata.

    python benchmarks/phantom_tables.py FOLDER

FOLDER contains `Data_Entry_2017_v2020.csv` (or `.csv.gz`) and `test_list.txt` of
ChestX-ray14 (Wang et al., CVPR 2017, https://nihcc.app.box.com/v/ChestXray-NIHCC). Written
into `chestkd/phantom/real/`:

- `label_sets.csv`: the joint table, how many images have this view and this label set;
- `histories.csv.gz`: for each of the 30,805 patients, without name or number: official
  list, sex, age at the first image, the years that pass before each image, and the row of
  `label_sets.csv` of each image, in order;
- `statistics.csv` and `visits.csv` (patients by number of images): what the book
  compares a phantom with.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from chestkd.phantom.histories import REAL
from chestkd.phantom.statistics import patient_sums, statistics, visit_counts


def read_metadata(folder: Path) -> pd.DataFrame:
    """NIH's table, one row per image in the order of patients and follow-ups.

    Returns columns patient, age, female, view, labels (names in alphabetical order joined
    by "|"), test (whether the image is in the official test list).
    """
    plain = folder / "Data_Entry_2017_v2020.csv"
    path = plain if plain.exists() else plain.with_suffix(".csv.gz")
    raw = pd.read_csv(path, usecols=range(7))
    raw.columns = pd.Index(["image", "labels", "follow_up", "patient", "age", "sex", "view"])
    raw = raw.sort_values(["patient", "follow_up"], kind="stable", ignore_index=True)
    test = set((folder / "test_list.txt").read_text().split())
    return pd.DataFrame(
        {
            "patient": raw["patient"],
            "age": raw["age"],
            "female": raw["sex"] == "F",
            "view": raw["view"],
            "labels": ["|".join(sorted(labels.split("|"))) for labels in raw["labels"]],
            "test": raw["image"].isin(test),
        }
    )


def joint_table(metadata: pd.DataFrame) -> pd.DataFrame:
    """Images per view and label set, the commonest first; the row number is the code."""
    table = metadata.groupby(["view", "labels"]).size().rename("images").reset_index()
    return table.sort_values(
        ["images", "view", "labels"], ascending=[False, True, True]
    ).reset_index(drop=True)


def histories(metadata: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """One row per patient, in an order that says nothing about the original one."""
    codes = {(row.view, row.labels): code for code, row in enumerate(table.itertuples())}
    rows = []
    for _, visits in metadata.groupby("patient"):
        years = np.diff(visits["age"], prepend=visits["age"].iloc[0])
        keys = zip(visits["view"], visits["labels"], strict=True)
        rows.append(
            {
                "test": int(visits["test"].iloc[0]),
                "female": int(visits["female"].iloc[0]),
                "age": visits["age"].iloc[0],
                "years": " ".join(map(str, years)) if years.any() else "",
                "codes": " ".join(str(codes[key]) for key in keys),
            }
        )
    return pd.DataFrame(rows).sort_values(
        ["test", "female", "codes", "age", "years"], ignore_index=True
    )


def write_tables(metadata: pd.DataFrame) -> None:
    """Write all four files into `REAL`."""
    table = joint_table(metadata)
    REAL.mkdir(exist_ok=True)
    table.to_csv(REAL / "label_sets.csv", index=False)
    content = histories(metadata, table).to_csv(index=False).encode()
    (REAL / "histories.csv.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    values = statistics(patient_sums(metadata).sum().to_frame().T).iloc[0]
    values.round(5).to_csv(REAL / "statistics.csv", index_label="statistic", header=["value"])
    visits = visit_counts(metadata).rename("patients")
    visits.to_csv(REAL / "visits.csv", index_label="images")


def main() -> None:
    """Recompute the tables from the folder on the command line."""
    parser = argparse.ArgumentParser(description="Recompute the phantom's tables of real labels.")
    parser.add_argument("folder", type=Path, help="folder with NIH's metadata")
    metadata = read_metadata(parser.parse_args().folder)
    write_tables(metadata)
    print(f"tables of {len(metadata)} images written to {REAL}")


if __name__ == "__main__":
    main()
