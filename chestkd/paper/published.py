"""The numbers that Ho & Gwak (2020) printed, read from the CSV files beside this module.

Every loader returns a new data frame and checks what it read: ids, ranges, number of rows and
sum, so that a slip in a CSV file is an error and not a result. Networks and strategies carry
this project's ids. AUCs lie in [0, 1], times are minutes.
"""

from collections.abc import Iterable
from importlib import resources

import pandas as pd

from chestkd.findings import FINDINGS, NO_FINDING
from chestkd.networks import architectures

NETWORKS = tuple(architectures.NETWORKS)
STRATEGIES = ("base", "standard", "reversed", "defective", "self-training")
# The columns of Table 3, as printed from left to right.
WORKS = ("yao-2017", "chestnet", "guendel", "ho-2019", "thorax-net", "proposed")
# What a work that Table 3 does not have was tested on, as far as could be read.
ELSEWHERE_SPLITS = ("official", "not stated", "another", "image-wise")
# The three fields that name a training run wherever the paper's numbers stand beside ours.
RUN_KEY = ["strategy", "network", "teacher"]


def table1() -> pd.DataFrame:
    """Table 1 cell by cell: 52 mean AUCs, in the order of print.

    ``row_teacher``, ``row_student``: where the cell stands; the base AUC of the two teachers,
    printed in the first column, has an empty ``row_student``. ``strategy``, and ``network`` and
    ``teacher``: the network that was trained and the one that taught it (empty for base, itself
    for self-training). Under reversed distillation the row's student teaches the row's teacher;
    the AUC is read as that of the taught network. ``auc``; ``bold``: printed in bold.
    """
    table = _read("table1.csv", rows=52)
    _check_ids(table, "table1.csv", "strategy", STRATEGIES)
    _check_ids(table, "table1.csv", "row_teacher", NETWORKS)
    _check_ids(table, "table1.csv", "row_student", (*NETWORKS, ""))
    _check_sum(table, "table1.csv", "auc", 38.7155)
    return _with_run_key(table, outer="row_teacher", inner="row_student")


def table1_runs() -> pd.DataFrame:
    """Table 1 run by run: ``strategy``, ``network``, ``teacher``, ``auc``; 41 rows.

    Base and self-training stand twice in print, once under each teacher; ValueError should two
    cells of one run disagree.
    """
    runs = table1()[[*RUN_KEY, "auc"]].drop_duplicates()
    doubled = runs[runs.duplicated(RUN_KEY)]
    if len(doubled) or len(runs) != 41:
        raise ValueError(
            f"table1.csv: expected 41 runs with one AUC each, received {len(runs)}; "
            f"with two AUCs: {doubled[RUN_KEY].to_dict('records')}"
        )
    return runs.reset_index(drop=True)


def table2() -> pd.DataFrame:
    """Table 2 cell by cell: 48 rows, 42 of them with a training time.

    ``row_network``, ``column_teacher``: where the cell stands; ``strategy``, ``network``,
    ``teacher`` as in `table1`; ``minutes``: NaN where the paper prints a dash.
    """
    table = _read("table2.csv", rows=48)
    _check_ids(table, "table2.csv", "strategy", STRATEGIES)
    _check_ids(table, "table2.csv", "row_network", NETWORKS)
    _check_ids(table, "table2.csv", "column_teacher", (*NETWORKS, ""))
    _check_sum(table, "table2.csv", "minutes", 15_723)
    return _with_run_key(table, outer="column_teacher", inner="row_network")


def table3() -> pd.DataFrame:
    """Table 3 without its last row: ``finding``, ``work``, ``auc``, ``bold``; 14 x 6 rows."""
    table = _read("table3.csv", rows=len(FINDINGS) * len(WORKS))
    _check_ids(table, "table3.csv", "finding", FINDINGS)
    _check_ids(table, "table3.csv", "work", WORKS)
    _check_unique(table, "table3.csv", ["finding", "work"])
    _check_sum(table, "table3.csv", "auc", 67.385)
    return table.astype({"bold": bool})


def table3_works() -> pd.DataFrame:
    """The six columns of Table 3 and the mean that the paper prints under each.

    ``work``: id; ``printed_name`` and ``reference``: heading and number in the paper's list
    (empty for the proposed method); ``key``: bibliography key; ``printed_mean``; ``bold``.
    """
    works = _read("table3_works.csv", rows=len(WORKS))
    _check_ids(works, "table3_works.csv", "work", WORKS)
    _check_unique(works, "table3_works.csv", ["work"])
    _check_sum(works, "table3_works.csv", "printed_mean", 4.809)
    return works.astype({"bold": bool, "reference": "Int64"})


def table3_elsewhere() -> pd.DataFrame:
    """Mean AUCs on ChestX-ray14 that Table 3 does not have, by split; 9 rows.

    ``work``, ``key``: authors and bibliography key; ``year``; ``method``; ``size``: side of the
    input in pixels, NaN where it is not stated in what was read; ``split``: "official",
    "not stated" in what was read, "another" or "image-wise"; ``mean_auc``: over the 14 findings;
    ``read_in``: where the number was read; ``note``.
    """
    works = _read("table3_elsewhere.csv", rows=9)
    _check_ids(works, "table3_elsewhere.csv", "split", ELSEWHERE_SPLITS)
    _check_unique(works, "table3_elsewhere.csv", ["key", "method"])
    _check_sum(works, "table3_elsewhere.csv", "mean_auc", 7.41)
    return works


def text_gains() -> pd.DataFrame:
    """Every gain in AUC that the abstract and section IV-C print, 22 rows.

    ``place``; ``strategy``, ``network``, ``teacher``: the run that gained, with empty fields
    where the text names none; ``printed_network``: the text's spelling (it says MobileNet-v2
    where Table 1 says v1); ``reference``: the strategy of the same network that it is compared
    with; ``gain``: percentage points, NaN where the text names a network and prints no gain.
    """
    gains = _read("text_gains.csv", rows=22)
    _check_ids(gains, "text_gains.csv", "strategy", STRATEGIES)
    _check_ids(gains, "text_gains.csv", "reference", STRATEGIES)
    _check_ids(gains, "text_gains.csv", "network", (*NETWORKS, ""))
    _check_ids(gains, "text_gains.csv", "teacher", (*NETWORKS, ""))
    _check_sum(gains, "text_gains.csv", "gain", 97.2)
    return gains


def text_numbers() -> pd.DataFrame:
    """The text's other numbers, by ``key``: ``value``, ``unit``, ``place``, ``meaning``."""
    return _keyed("text_numbers.csv", rows=22)


def outside_facts() -> pd.DataFrame:
    """Numbers the audit needs and the paper lacks, by ``key``: ``value``, ``unit``, ``source``."""
    return _keyed("outside_facts.csv", rows=9)


def label_releases() -> pd.DataFrame:
    """Images per finding in NIH's two label tables, and boxes per finding; 15 rows.

    ``finding``: the 14 and "No Finding"; ``first_release``: Data_Entry_2017.csv as first
    published; ``v2020``: Data_Entry_2017_v2020.csv; ``boxes``: rows of BBox_List_2017.csv.
    """
    releases = _read("label_releases.csv", rows=len(FINDINGS) + 1)
    _check_ids(releases, "label_releases.csv", "finding", (*FINDINGS, NO_FINDING))
    _check_unique(releases, "label_releases.csv", ["finding"])
    _check_sum(releases, "label_releases.csv", "boxes", 984)
    return releases


def _read(name: str, *, rows: int) -> pd.DataFrame:
    with resources.files(__package__).joinpath(name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    if len(table) != rows:
        raise ValueError(f"{name}: expected {rows} rows, received {len(table)}")
    text = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    return table.fillna(dict.fromkeys(text, ""))


def _keyed(name: str, *, rows: int) -> pd.DataFrame:
    table = _read(name, rows=rows)
    _check_unique(table, name, ["key"])
    return table.set_index("key")


def _with_run_key(table: pd.DataFrame, *, outer: str, inner: str) -> pd.DataFrame:
    """Add ``network`` and ``teacher``: the inner network is the taught one unless reversed."""
    strategy = table["strategy"]
    alone = table[inner].where(table[inner] != "", table[outer])
    network = alone.where(strategy != "reversed", table[outer])
    teacher = table[outer].where(strategy != "reversed", table[inner])
    teacher = teacher.where(strategy != "self-training", network).where(strategy != "base", "")
    table = table.assign(network=network, teacher=teacher)
    return table.astype({"bold": bool}) if "bold" in table else table


def _check_ids(table: pd.DataFrame, name: str, column: str, allowed: Iterable[str]) -> None:
    bad = table.index[~table[column].isin(list(allowed))]
    if len(bad):
        row = int(bad[0])
        raise ValueError(
            f"{name}, row {row + 2}: unknown {column} {table[column][row]!r}; "
            f"allowed: {', '.join(repr(value) for value in allowed)}"
        )


def _check_unique(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    doubled = table.index[table.duplicated(columns)]
    if len(doubled):
        row = int(doubled[0])
        raise ValueError(f"{name}, row {row + 2}: {dict(table.loc[row, columns])} stands twice")


def _check_sum(table: pd.DataFrame, name: str, column: str, expected: float) -> None:
    received = round(float(table[column].sum()), 4)
    if received != expected:
        raise ValueError(f"{name}: {column} must add up to {expected}, received {received}")
