"""Where the AUCs and counts of Ho & Gwak (2020) disagree with each other, computed.

Every function reads the published numbers and returns a data frame; no result is typed in.
Gains and differences are percentage points of AUC, to the two decimals that were printed.
Training times are checked in `chestkd.paper.training_time`.
"""

import pandas as pd

from chestkd.findings import BOXED_FINDINGS, NO_FINDING
from chestkd.paper import published


def rows() -> pd.DataFrame:
    """Table 1 as printed: 10 rows by ``teacher`` and ``student``, one column a strategy."""
    cells = published.table1()
    cells = cells[cells["row_student"] != ""]
    cells = cells.rename(columns={"teacher": "source", "row_teacher": "teacher"})
    cells = cells.rename(columns={"row_student": "student"})
    order = pd.MultiIndex.from_frame(cells[["teacher", "student"]].drop_duplicates())
    wide = cells.pivot_table(index=["teacher", "student"], columns="strategy", values="auc")
    return wide.reindex(index=order, columns=list(published.STRATEGIES)).rename_axis(columns=None)


def text_gains() -> pd.DataFrame:
    """Each gain that section IV-C prints beside the one that follows from Table 1.

    The rows of `published.text_gains` that name a network, with ``computed`` and ``agrees``,
    which is False where the text prints a different gain or none.
    """
    gains = published.text_gains()
    gains = gains[gains["network"] != ""].reset_index(drop=True)
    taught = _auc_of(gains[published.RUN_KEY])
    base = _auc_of(gains[["network"]].assign(strategy="base", teacher="")[published.RUN_KEY])
    gains["computed"] = _points(taught - base)
    gains["agrees"] = gains["gain"] == gains["computed"]
    return gains


def runs_apart(points: float) -> pd.DataFrame:
    """Pairs of Table 1's 41 runs whose AUCs are ``points`` percentage points apart.

    ``strategy``, ``network``, ``teacher``, ``auc`` of the higher run, and the same with the
    suffix ``_lower``.
    """
    runs = published.table1_runs()
    pairs = runs.merge(runs, how="cross", suffixes=("", "_lower"))
    return pairs[_points(pairs["auc"] - pairs["auc_lower"]) == points].reset_index(drop=True)


def abstract_gains() -> pd.DataFrame:
    """The abstract's two gains of self-training against the largest like-for-like ones.

    ``reference``: the strategy compared with; ``printed``; ``network``, ``reference_network``:
    the runs of the two strategies that are that far apart; ``best_gain``, ``best_network``: the
    largest gain in a row of Table 1, where both sides are the same network.
    """
    printed = published.text_gains()
    printed = printed[printed["network"] == ""]
    table = []
    for reference, gain in zip(printed["reference"], printed["gain"], strict=True):
        apart = runs_apart(gain)
        pairs = apart[
            (apart["strategy"] == "self-training") & (apart["strategy_lower"] == reference)
        ]
        gains = _points(rows()["self-training"] - rows()[reference]).droplevel("teacher")
        names = ", ".join(pairs["network"]), ", ".join(pairs["network_lower"])
        table.append((reference, gain, *names, gains.max(), gains.idxmax()))
    columns = ["reference", "printed", "network", "reference_network", "best_gain", "best_network"]
    return pd.DataFrame(table, columns=columns)


def self_training_against_standard() -> pd.DataFrame:
    """The 10 rows of Table 1: ``standard``, ``self-training``, ``gain`` of self-training."""
    table = rows()[["standard", "self-training"]].copy()
    table["gain"] = _points(table["self-training"] - table["standard"])
    return table


def one_procedure() -> pd.DataFrame:
    """DenseNet-121 taught by DenseNet-121: ``strategy``, ``auc``, ``minutes``.

    Standard and reversed distillation of a network by itself are self-training: one procedure
    under three names.
    """
    runs = published.table1_runs().merge(published.table2(), on=published.RUN_KEY)
    itself = (runs["network"] == "densenet-121") & (runs["teacher"] == "densenet-121")
    same = itself & runs["strategy"].isin(["standard", "reversed", "self-training"])
    return runs.loc[same, ["strategy", "auc", "minutes"]].reset_index(drop=True)


def defective() -> pd.DataFrame:
    """Defective distillation in the 10 rows of Table 1, and which strategies it beats.

    The four AUCs, then ``above_base``, ``above_reversed``, ``above_standard`` (True or False).
    """
    table = rows()[["base", "standard", "reversed", "defective"]].copy()
    for other in ("base", "reversed", "standard"):
        table[f"above_{other}"] = table["defective"] > table[other]
    return table


def reversed_readings() -> pd.DataFrame:
    """Gain of reversed distillation over base under both readings of its column.

    ``reversed``; ``teacher_gain``: against the base AUC of the row's teacher, which is the
    network that is taught; ``student_gain``: against that of the row's student.
    """
    base = published.table1_runs().query("strategy == 'base'").set_index("network")["auc"]
    table = rows()[["reversed"]].copy()
    for role in ("teacher", "student"):
        reference = base.loc[table.index.get_level_values(role)].to_numpy()
        table[f"{role}_gain"] = _points(table["reversed"] - reference)
    return table


def repeated_aucs() -> pd.DataFrame:
    """Runs of Table 1 whose AUC is also that of another run, highest first."""
    runs = published.table1_runs()
    repeated = runs[runs.duplicated("auc", keep=False)]
    return repeated.sort_values("auc", ascending=False, kind="stable").reset_index(drop=True)


def ranking() -> pd.DataFrame:
    """The runs of Table 1 from the highest AUC down to the one that the text ranks third.

    ``strategy``, ``network``, ``teacher``, ``auc``; ``text_place``: 1 to 3 where section IV-C
    ranks the run, else missing.
    """
    numbers = published.text_numbers()["value"]
    places = {numbers[f"ranking_{place}"]: place for place in (1, 2, 3)}
    runs = published.table1_runs().sort_values("auc", ascending=False, kind="stable")
    runs = runs[runs["auc"] >= min(places)].reset_index(drop=True)
    runs["text_place"] = runs["auc"].map(places).astype("Int64")
    return runs


def table3_means() -> pd.DataFrame:
    """Printed and computed mean of each column of Table 3: ``work``, ``printed``, ``computed``.

    ``agrees``: the computed mean rounds to the printed one.
    """
    works = published.table3_works()
    computed = published.table3().groupby("work")["auc"].mean().loc[works["work"]].round(6)
    table = pd.DataFrame({"work": works["work"], "printed": works["printed_mean"]})
    table["computed"] = computed.to_numpy()
    table["agrees"] = table["computed"].round(3) == table["printed"]
    return table


def table3_best() -> pd.DataFrame:
    """For each finding the work printed in bold and the works with the highest AUC.

    ``finding``, ``bold``, ``highest``, ``agrees``.
    """
    table = published.table3()
    top = table["auc"] == table.groupby("finding")["auc"].transform("max")
    highest = table[top].groupby("finding", sort=False)["work"].agg(", ".join)
    bold = table[table["bold"]].groupby("finding", sort=False)["work"].agg(", ".join)
    best = pd.DataFrame({"bold": bold, "highest": highest}).loc[table["finding"].unique()]
    return best.assign(agrees=best["bold"] == best["highest"]).reset_index()


def figure4() -> pd.DataFrame:
    """InceptionV3's AUCs in Figure 4 against the proposed model's in Table 3.

    ``finding``, ``inception_v3``, ``proposed``, ``difference`` in points.
    """
    numbers = published.text_numbers()["value"]
    shown = numbers[numbers.index.str.startswith("figure4_")].rename(lambda key: key[8:])
    proposed = published.table3().query("work == 'proposed'").set_index("finding")["auc"]
    table = pd.DataFrame({"inception_v3": shown, "proposed": proposed.loc[shown.index]})
    table["difference"] = _points(table["inception_v3"] - table["proposed"])
    return table.rename_axis("finding").reset_index()


def image_counts() -> pd.DataFrame:
    """Images ``without_finding`` and ``with_finding`` by ``source``: the text, two label tables."""
    numbers = published.text_numbers()["value"].astype(int)
    none = published.label_releases().set_index("finding").loc[NO_FINDING]
    images = numbers["images"]
    table = pd.DataFrame(
        {
            "the paper": (numbers["images_without_finding"], numbers["images_with_finding"]),
            "first release": (none["first_release"], images - none["first_release"]),
            "v2020": (none["v2020"], images - none["v2020"]),
        },
        index=["without_finding", "with_finding"],
    ).T
    return table.rename_axis("source").reset_index()


def missed_labels() -> pd.DataFrame:
    """Labels that the v2020 table added, against the boxes of the same finding.

    ``finding``: the eight with boxes, and "all"; ``first_release``, ``v2020``: images;
    ``added``; ``boxes``; ``missed``: added over boxes, the share of boxed findings that the
    first release left unlabeled if every added label belongs to a box.
    """
    table = published.label_releases().set_index("finding").drop(NO_FINDING)
    table.insert(2, "added", table["v2020"] - table["first_release"])
    total = table.sum()
    table = table.loc[list(BOXED_FINDINGS)]
    table.loc["all"] = total
    return table.assign(missed=table["added"] / table["boxes"]).reset_index()


def split_shares() -> pd.DataFrame:
    """Test share of the paper's division and of NIH's official list, by patients and images.

    ``division``, ``patients``, ``images``: shares in [0, 1]; the paper gives patients only.
    """
    share = published.text_numbers()["value"]["test_share"]
    facts = published.outside_facts()["value"]
    parts = [
        facts[f"official_test_{unit}"]
        / (facts[f"official_test_{unit}"] + facts[f"official_train_val_{unit}"])
        for unit in ("patients", "images")
    ]
    table = [("the paper's 70/10/20", share, float("nan")), ("NIH's official list", *parts)]
    return pd.DataFrame(table, columns=["division", "patients", "images"])


def _auc_of(keys: pd.DataFrame) -> pd.Series:
    auc = published.table1_runs().set_index(published.RUN_KEY)["auc"]
    return auc.loc[list(keys.itertuples(index=False, name=None))].reset_index(drop=True)


def _points(difference: pd.Series) -> pd.Series:
    return (100 * difference).round(2)
