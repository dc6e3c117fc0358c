"""The numbers that Ho & Gwak (2020) printed, read from the CSV files beside this module.

Every loader returns a new data frame and checks what it read: ids, number of rows and sum, so that
a slip in a CSV file is an error and not a result. Networks and strategies are named by this
project's ids. AUCs lie in [0, 1], times are in minutes.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType

import pandas as pd

from chestkd.distillation.run_names import RunName
from chestkd.findings import FINDINGS, NO_FINDING
from chestkd.paper.comparisons import STUDENTS

# Those of Tables 1 and 2.
NETWORKS = (*STUDENTS, "resnet-152")
STRATEGIES = ("base", "standard", "reversed", "defective", "self-training")
# The columns of Table 3, as printed from left to right.
WORKS = ("yao-2017", "chestnet", "guendel", "ho-2019", "thorax-net", "proposed")
# What a work that is not in Table 3 was tested on, as far as could be read.
ELSEWHERE_SPLITS = ("official", "not stated", "another", "image-wise")
# The columns that name a training run, as `RunName` does, with "" where nobody teaches it.
RUN_KEY = ["strategy", "network", "teacher"]


def table1() -> pd.DataFrame:
    """Table 1 cell by cell: 52 mean AUCs, in the order of print.

    ``row_teacher``, ``row_student``: the row; the base AUC of the two teachers, printed in the
    first column, has an empty ``row_student``. ``strategy``: the column. ``network`` and
    ``teacher``: the network that was trained and the one that taught it (empty for base, itself
    for self-training). Under reversed distillation the row's student teaches the row's teacher;
    the AUC is read as that of the taught network. ``auc``; ``bold``: printed in bold.
    """
    ids = {"strategy": STRATEGIES, "row_teacher": NETWORKS, "row_student": (*NETWORKS, "")}
    table = _read("table1.csv", rows=52, total=("auc", 38.7155), ids=ids)
    return _with_run_key(table, outer="row_teacher", inner="row_student")


def table1_runs() -> pd.DataFrame:
    """Table 1 run by run: ``strategy``, ``network``, ``teacher``, ``auc``; 41 rows.

    Base and self-training are printed twice, once under each teacher; ValueError if two cells of
    one run disagree.
    """
    runs = table1()[[*RUN_KEY, "auc"]].drop_duplicates()
    doubled = runs[runs.duplicated(RUN_KEY)]
    if len(doubled) or len(runs) != 41:
        raise ValueError(
            f"table1.csv: expected 41 runs with one AUC each, received {len(runs)}; "
            f"with two AUCs: {doubled[RUN_KEY].to_dict('records')}"
        )
    return runs.reset_index(drop=True)


def aucs() -> dict[RunName, float]:
    """Table 1's AUCs by run, 41 of them."""
    return _by_run(table1_runs(), "auc")


def minutes() -> dict[RunName, float]:
    """Table 2's training times by run, 42 of them."""
    return _by_run(table2().dropna(subset="minutes"), "minutes")


def _by_run(table: pd.DataFrame, column: str) -> dict[RunName, float]:
    return {
        RunName(strategy, network, teacher or None): value
        for strategy, network, teacher, value in table[[*RUN_KEY, column]].to_numpy()
    }


def table2() -> pd.DataFrame:
    """Table 2 cell by cell: 48 rows, 42 of them with a training time.

    ``row_network``, ``column_teacher``: row and column of the cell; ``strategy``, ``network``,
    ``teacher`` as in `table1`; ``minutes``: NaN where the paper prints a dash.
    """
    ids = {"strategy": STRATEGIES, "row_network": NETWORKS, "column_teacher": (*NETWORKS, "")}
    table = _read("table2.csv", rows=48, total=("minutes", 15_723), ids=ids)
    return _with_run_key(table, outer="column_teacher", inner="row_network")


def table3() -> pd.DataFrame:
    """Table 3 without its last row: ``finding``, ``work``, ``auc``, ``bold``; 14 x 6 rows."""
    ids, rows = {"finding": FINDINGS, "work": WORKS}, len(FINDINGS) * len(WORKS)
    table = _read("table3.csv", rows=rows, total=("auc", 67.385), ids=ids, unique=[*ids])
    return table.astype({"bold": bool})


def table3_works() -> pd.DataFrame:
    """The six columns of Table 3 and the mean that the paper prints under each.

    ``work``: id; ``printed_name`` and ``reference``: heading and number in the paper's list
    (empty for the proposed method); ``key``: bibliography key; ``printed_mean``; ``bold``.
    """
    ids, total = {"work": WORKS}, ("printed_mean", 4.809)
    works = _read("table3_works.csv", rows=len(WORKS), total=total, ids=ids, unique=["work"])
    return works.astype({"bold": bool, "reference": "Int64"})


def table3_elsewhere() -> pd.DataFrame:
    """Mean AUCs on ChestX-ray14 that are not in Table 3, by split; 9 rows.

    ``work``, ``key``: authors and bibliography key; ``year``; ``method``; ``size``: side of the
    input in pixels, NaN where the source that was read does not state it; ``split``: "official",
    "not stated", "another" or "image-wise", likewise; ``mean_auc``: over the 14 findings;
    ``read_in``: where the number was read; ``note``.
    """
    ids, unique = {"split": ELSEWHERE_SPLITS}, ["key", "method"]
    total = ("mean_auc", 7.41)
    return _read("table3_elsewhere.csv", rows=9, total=total, ids=ids, unique=unique)


def text_gains() -> pd.DataFrame:
    """Every gain in AUC that the abstract and section IV-C print, 22 rows.

    ``place``; ``strategy``, ``network``, ``teacher``: the run that gained, with empty fields
    where the text names none; ``printed_network``: the text's spelling (it says MobileNet-v2
    where Table 1 says v1); ``reference``: the strategy that the same network is compared with;
    ``gain``: percentage points, NaN where the text names a network without printing a gain.
    """
    names = (*NETWORKS, "")
    ids = {"strategy": STRATEGIES, "reference": STRATEGIES, "network": names, "teacher": names}
    return _read("text_gains.csv", rows=22, total=("gain", 97.2), ids=ids)


def text_numbers() -> pd.DataFrame:
    """The text's other numbers, by ``key``: ``value``, ``unit``, ``place``, ``meaning``."""
    return _read("text_numbers.csv", rows=22, unique=["key"]).set_index("key")


def outside_facts() -> pd.DataFrame:
    """Numbers that the audit needs from elsewhere, by ``key``: ``value``, ``unit``, ``source``."""
    return _read("outside_facts.csv", rows=9, unique=["key"]).set_index("key")


def label_releases() -> pd.DataFrame:
    """Images per finding in NIH's two label tables, and boxes per finding; 15 rows.

    ``finding``: the 14 and "No Finding"; ``first_release``: Data_Entry_2017.csv as first
    published; ``v2020``: Data_Entry_2017_v2020.csv; ``boxes``: rows of BBox_List_2017.csv.
    """
    ids, total = {"finding": (*FINDINGS, NO_FINDING)}, ("boxes", 984)
    return _read("label_releases.csv", rows=15, total=total, ids=ids, unique=["finding"])


def _read(
    name: str,
    *,
    rows: int,
    total: tuple[str, float] | None = None,
    ids: Mapping[str, Sequence[str]] = MappingProxyType({}),
    unique: Sequence[str] = (),
) -> pd.DataFrame:
    """A CSV file whose number of rows is known, and the sum of a column, the ids allowed in some
    columns, and the columns that identify a row. ValueError, naming the file, where one is wrong.
    """
    with resources.files(__package__).joinpath(name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    if len(table) != rows:
        raise ValueError(f"{name}: expected {rows} rows, received {len(table)}")
    text = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    table = table.fillna(dict.fromkeys(text, ""))
    for column, allowed in ids.items():
        for row in table.index[~table[column].isin(allowed)]:
            raise ValueError(
                f"{name}, row {row + 2}: unknown {column} {table[column][row]!r}; "
                f"allowed: {', '.join(map(repr, allowed))}"
            )
    for row in table.index[table.duplicated(unique)] if unique else ():
        raise ValueError(f"{name}, row {row + 2}: {dict(table.loc[row, unique])} occurs twice")
    if total and (received := round(float(table[total[0]].sum()), 4)) != total[1]:
        raise ValueError(f"{name}: {total[0]} must add up to {total[1]}, received {received}")
    return table


def _with_run_key(table: pd.DataFrame, *, outer: str, inner: str) -> pd.DataFrame:
    """Add ``network`` and ``teacher``: the inner network is the taught one unless reversed."""
    strategy = table["strategy"]
    alone = table[inner].where(table[inner] != "", table[outer])
    network = alone.where(strategy != "reversed", table[outer])
    teacher = table[outer].where(strategy != "reversed", table[inner])
    teacher = teacher.where(strategy != "self-training", network).where(strategy != "base", "")
    table = table.assign(network=network, teacher=teacher)
    return table.astype({"bold": bool}) if "bold" in table else table
