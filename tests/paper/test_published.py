"""The published numbers are those of the paper, and the audit finds what it should."""

import gzip
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from chestkd import __version__
from chestkd.findings import BOXED_FINDINGS, FINDINGS, NO_FINDING
from chestkd.paper import audit, published, training_time

REPOSITORY = Path(__file__).parents[2]
LOADERS = [
    published.table1,
    published.table1_runs,
    published.table2,
    published.table3,
    published.table3_works,
    published.table3_elsewhere,
    published.text_gains,
    published.text_numbers,
    published.outside_facts,
    published.label_releases,
]


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_loader_documents_its_columns_and_returns_a_new_frame(load):
    table = load()
    for column in table:
        assert f"``{column}``" in (load.__doc__ + published.table1.__doc__)
    table[table.columns[0]] = "changed"
    assert not (load() == "changed").any(axis=None)


def test_table1_knows_who_is_taught():
    table = published.table1().set_index(["row_teacher", "row_student", "strategy"])
    reversed_ = table.loc[("resnet-152", "vgg-19", "reversed")]
    assert (reversed_["network"], reversed_["teacher"], reversed_["auc"]) == (
        "resnet-152",
        "vgg-19",
        0.6989,
    )
    standard = table.loc[("resnet-152", "vgg-19", "standard")]
    assert (standard["network"], standard["teacher"]) == ("vgg-19", "resnet-152")
    itself = table.loc[("densenet-121", "resnet-32", "self-training")]
    assert (itself["network"], itself["teacher"]) == ("resnet-32", "resnet-32")
    teacher = table.loc[("resnet-152", "", "base")]
    assert (teacher["network"], teacher["teacher"], teacher["auc"]) == ("resnet-152", "", 0.7901)


def test_table1_runs_are_the_plan_of_the_paper():
    counts = published.table1_runs()["strategy"].value_counts().to_dict()
    assert counts == {
        "base": 6,
        "self-training": 5,
        "standard": 10,
        "reversed": 10,
        "defective": 10,
    }


def test_table2_has_42_times_and_names_the_same_runs():
    table = published.table2()
    assert table["minutes"].count() == 42
    runs = set(published.table1_runs()[published.RUN_KEY].itertuples(index=False, name=None))
    timed = table.dropna(subset="minutes")[published.RUN_KEY].itertuples(index=False, name=None)
    # Table 2 has one run more: ResNet-152's row, reversed, is DenseNet-121 taught by ResNet-152.
    assert set(timed) - runs == {("reversed", "densenet-121", "resnet-152")}


def read_with_change(monkeypatch, load, change):
    """Load a table whose CSV file has been changed."""
    read = pd.read_csv
    with monkeypatch.context() as patch:
        patch.setattr(pd, "read_csv", lambda file: change(read(file)))
        return load()


def test_a_wrong_id_names_file_row_and_choices(monkeypatch):
    def change(table):
        table.loc[3, "strategy"] = "standart"
        return table

    with pytest.raises(ValueError, match=r"table1.csv, row 5: unknown strategy 'standart'.*'base'"):
        read_with_change(monkeypatch, published.table1, change)


def test_a_wrong_number_is_caught_by_the_sum(monkeypatch):
    def change(table):
        table.loc[7, "minutes"] += 1
        return table

    with pytest.raises(ValueError, match=r"table2.csv: minutes must add up to 15723"):
        read_with_change(monkeypatch, published.table2, change)


def test_a_lost_row_and_a_doubled_one_are_caught(monkeypatch):
    with pytest.raises(ValueError, match=r"table3.csv: expected 84 rows, received 83"):
        read_with_change(monkeypatch, published.table3, lambda table: table.iloc[:-1])

    def double(table):
        table.loc[1, ["finding", "work"]] = table.loc[0, ["finding", "work"]]
        return table

    with pytest.raises(ValueError, match=r"table3.csv, row 3: .* occurs twice"):
        read_with_change(monkeypatch, published.table3, double)


def test_two_aucs_for_one_run_are_caught(monkeypatch):
    def change(table):
        # Base of MobileNet-v1 in the second half of the table, and another cell to keep the sum.
        at = (table["row_student"] == "mobilenet-v1") & (table["strategy"] == "base")
        table.loc[at & (table["row_teacher"] == "densenet-121"), "auc"] += 0.1
        table.loc[table.index[-1], "auc"] -= 0.1
        return table

    with pytest.raises(ValueError, match=r"41 runs with one AUC each, received 42.*mobilenet-v1"):
        read_with_change(monkeypatch, published.table1_runs, change)


# The audit: expected values worked out by hand from the printed tables.


def test_abstract_compares_densenet_with_vgg():
    base, standard = audit.abstract_gains().to_dict("records")
    assert base == {
        "reference": "base",
        "printed": 6.39,
        "network": "densenet-121",
        "reference_network": "vgg-19",
        "best_gain": 3.58,
        "best_network": "mobilenet-v1",
    }
    assert (standard["printed"], standard["network"], standard["reference_network"]) == (
        3.89,
        "densenet-121",
        "vgg-19",
    )
    # 0.8256 - 0.8076, from ResNet-152; the other networks lose.
    assert (standard["best_gain"], standard["best_network"]) == (1.8, "densenet-121")


def test_text_gains_agree_except_in_self_training():
    gains = audit.text_gains()
    wrong = gains[~gains["agrees"]].set_index("network")
    assert len(gains) == 20
    assert (wrong["strategy"] == "self-training").all()
    assert wrong["computed"].to_dict() == {"resnet-50": 2.72, "densenet-121": 1.59}
    assert wrong.loc["resnet-50", "gain"] == 3.35
    assert pd.isna(wrong.loc["densenet-121", "gain"])


def test_no_pair_of_table1_is_335_points_apart():
    assert audit.runs_apart(3.35).empty
    assert len(audit.runs_apart(0.60)) >= 1  # 0.8256 - 0.8196


def test_self_training_beats_standard_in_two_of_ten_rows():
    table = audit.self_training_against_standard()
    better = table[table["gain"] > 0]
    assert len(table) == 10
    assert better.index.tolist() == [
        ("resnet-152", "densenet-121"),
        ("densenet-121", "densenet-121"),
    ]


def test_one_procedure_has_three_aucs_and_one_time():
    table = audit.one_procedure().set_index("strategy")
    assert table["auc"].to_dict() == {
        "self-training": 0.8256,
        "standard": 0.8196,
        "reversed": 0.8021,
    }
    assert set(table["minutes"]) == {508}


def test_defective_counts():
    table = audit.defective()
    assert table[["above_base", "above_reversed", "above_standard"]].sum().tolist() == [6, 8, 1]
    above_standard = table[table["above_standard"]]
    assert above_standard.index.tolist() == [("densenet-121", "resnet-50")]
    assert above_standard[["standard", "defective"]].to_numpy().tolist() == [[0.7869, 0.7876]]


def test_reversed_improves_one_teacher():
    table = audit.reversed_readings()
    assert table.index[table["teacher_gain"] > 0].tolist() == [("resnet-152", "densenet-121")]
    assert table["teacher_gain"].max() == 1.96
    assert (table["student_gain"] > 0).sum() == 6


def test_repeated_aucs():
    groups = audit.repeated_aucs().groupby("auc")["strategy"].agg(list).to_dict()
    assert groups == {0.8097: ["base", "reversed"], 0.8021: ["reversed", "defective"]}


def test_ranking_of_the_text_skips_the_second_best_run():
    table = audit.ranking()
    second = table.iloc[1]
    assert (second["strategy"], second["teacher"], second["auc"]) == (
        "standard",
        "densenet-121",
        0.8196,
    )
    assert table["text_place"].isna().tolist() == [False, True, False, False, True, False, False]


def test_table3_means():
    table = audit.table3_means().set_index("work")
    assert table["printed"].tolist() == [0.798, 0.781, 0.807, 0.810, 0.787, 0.826]
    assert table["computed"].round(3).tolist() == [0.803, 0.780, 0.807, 0.810, 0.788, 0.826]
    assert table.index[~table["agrees"]].tolist() == ["yao-2017", "chestnet", "thorax-net"]
    # The related work of section II gives Thorax-Net the computed mean.
    text = published.text_numbers()["value"]["thorax_net_patient_wise"]
    assert text == table["computed"].round(3)["thorax-net"]


def test_table3_bold_is_the_highest():
    table = audit.table3_best()
    assert table["finding"].tolist() == list(FINDINGS)
    assert table["agrees"].all()
    assert (table["bold"] == "proposed").sum() == published.text_numbers()["value"]["best_findings"]


def test_figure4_is_below_the_proposed_model_in_three_of_four():
    table = audit.figure4().set_index("finding")
    assert table["inception_v3"].tolist() == [0.854, 0.739, 0.762, 0.768]
    assert table["difference"].to_dict() == {
        "Effusion": -2.8,
        "Fibrosis": -6.4,
        "Hernia": -11.4,
        "Nodule": 1.6,
    }


def test_image_counts_are_those_of_the_first_release():
    table = audit.image_counts().set_index("source")
    assert table.loc["the paper"].tolist() == [60_412, 51_708]
    assert table.loc["first release"].tolist() == table.loc["the paper"].tolist()
    assert table.loc["v2020"].tolist() == [60_361, 51_759]


def test_missed_labels():
    table = audit.missed_labels().set_index("finding")
    assert (table.loc["all", "added"], table.loc["all", "boxes"]) == (188, 984)
    percent = (100 * table["missed"]).round(1).to_dict()
    assert percent == {
        "Atelectasis": 13.3,
        "Cardiomegaly": 2.7,
        "Effusion": 6.5,
        "Infiltration": 19.5,
        "Mass": 42.4,
        "Nodule": 10.1,
        "Pneumonia": 65.0,
        "Pneumothorax": 4.1,
        "all": 19.1,
    }


def test_split_shares():
    table = audit.split_shares().set_index("division")
    assert table.loc["the paper's 70/10/20", "patients"] == 0.2
    official = table.loc["NIH's official list"]
    assert official["patients"] == pytest.approx(2_797 / 30_805)
    assert official["images"] == pytest.approx(25_596 / 112_120)


def test_table2_takes_longer_than_a_week():
    table = training_time.total_time().set_index("what")
    assert table["minutes"].tolist() == [15_723, 10_080]
    assert table.loc["sum of Table 2", "days"] == pytest.approx(10.9, abs=0.05)


def test_densenet_cannot_be_that_fast():
    speed = training_time.densenet121_speed()
    assert speed["images"] == 78_484
    assert speed["implied"] == pytest.approx(1_014, abs=0.5)
    assert speed["tflops"] == pytest.approx(6.46, abs=0.005)
    # Published counts of 17.2 GFLOP and 375 images/s include more than the convolutions.
    assert speed["gflop_per_image"] == pytest.approx(17.2, rel=0.015)
    assert speed["ceiling"] == pytest.approx(375, rel=0.015)
    # Even with the 3 x 3 convolutions for nothing.
    assert speed["ceiling"] < speed["loose_ceiling"] < 700 < speed["implied"]
    assert speed["epochs_at_ceiling"] == pytest.approx(200 * speed["ceiling"] / speed["implied"])


def test_densenet_walk_has_the_published_number_of_parameters():
    layers = list(training_time.densenet121_convolutions())
    assert len(layers) == 120
    assert layers[-1].side == 7
    # Huang et al.'s ImageNet network: convolutions, two values a normalized channel, 1,000 classes.
    ends = [layer for layer in layers if layer.kernel != 3]
    normalized = sum(layer.inputs for layer in ends[1:]) + 64 + 58 * 128 + 1024
    dense = 1024 * 1000 + 1000
    weights = sum(layer.weights for layer in layers)
    assert weights + 2 * normalized + dense == 7_978_856


def test_convolutions_by_hand():
    first, second = list(training_time.densenet121_convolutions(64, channels=1))[:2]
    assert (first.weights, first.multiply_adds) == (49 * 64, 49 * 64 * 32**2)
    assert (second.kernel, second.inputs, second.outputs, second.side) == (1, 64, 128, 16)
    with pytest.raises(ValueError, match="multiple of 32, not 229"):
        list(training_time.densenet121_convolutions(229))


def test_self_training_time():
    table = training_time.self_training_time().set_index("network")
    assert table["cheaper_than_standard"].sum() == 4
    assert not table.loc["densenet-121", "cheaper_than_standard"]
    assert table.loc["densenet-121", "over_base"] == pytest.approx(508 / 258)
    assert training_time.networks_without_auc() == ["resnet-152"]


# What cites the paper.


def test_bibliography_has_the_works_of_table3_and_every_work_once():
    text = (REPOSITORY / "book" / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{(\w+),$", text, flags=re.MULTILINE)
    assert len(keys) == len(set(keys)) == text.count("\n  title")
    assert set(published.table3_works()["key"]) <= set(keys)


def test_every_citation_is_in_the_bibliography():
    text = (REPOSITORY / "book" / "references.bib").read_text(encoding="utf-8")
    pages = [*(REPOSITORY / "book").glob("*.md"), *(REPOSITORY / "notebooks").glob("*.py")]
    for page in pages:
        for cited in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8")):
            for key in cited.split(","):
                assert f"{{{key.strip()},\n" in text, f"{page.name} cites {key}"


def test_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "MIT"
    (paper,) = citation["references"]
    assert paper["doi"] == "10.1109/ACCESS.2020.3020802"
    assert [author["family-names"] for author in paper["authors"]] == ["Ho", "Gwak"]


# Against the paper's text and NIH's metadata, where they are at hand.


@pytest.fixture(scope="module")
def paper(shared: Path) -> str:
    path = shared / "paper.md"
    if not path.is_file():
        pytest.skip(f"no text of the paper at {path}")
    return path.read_text(encoding="utf-8")


def numbers_of(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"\b0\.\d{3,4}\b", line)]


def test_tables_of_the_paper(paper: str):
    part = paper[paper.index("**TABLE 1.**") :].splitlines()
    lines = [line for line in part if "\t" in line][2:12]
    printed = [number for line in lines for number in numbers_of(line)]
    assert printed == published.table1()["auc"].tolist()[: len(printed)]
    assert len(printed) == 52

    part = paper[paper.index("**TABLE 2.**") :].splitlines()
    lines = [line for line in part if "\t" in line][2:8]
    cells = [cell for line in lines for cell in line.split("\t")[1:]]
    minutes = published.table2()["minutes"]
    assert ["--" if pd.isna(value) else f"{value:.0f}" for value in minutes] == cells

    part = paper[paper.index("**TABLE 3.**") :].splitlines()
    lines = [line for line in part if "\t" in line][1:16]
    printed = [number for line in lines for number in numbers_of(line)]
    bold = ["<b>" in cell for line in lines for cell in line.split("\t")[1:]]
    table, works = published.table3(), published.table3_works()
    assert printed == table["auc"].tolist() + works["printed_mean"].tolist()
    assert bold == table["bold"].tolist() + works["bold"].tolist()


def test_numbers_of_the_text(paper: str):
    for gain in published.text_gains()["gain"].dropna():
        assert re.search(rf"(?<![\d.]){abs(gain):.2f}".rstrip("0") + r"0?\s?%", paper), gain
    for key, value in published.text_numbers()["value"].items():
        if key.startswith(("figure4", "thorax")):
            assert f"{value:.3f}" in paper
        if key.startswith("ranking"):
            assert f"{100 * value:.2f}%" in paper


def test_counts_of_the_metadata(shared: Path):
    sample = shared / "data" / "chestxray14-sample"
    with gzip.open(sample / "Data_Entry_2017_v2020.csv.gz", "rt", encoding="utf-8") as file:
        rows = [line.split(",")[:4] for line in file][1:]
    labels = {row[0]: row[1].split("|") for row in rows}
    images = Counter(name for names in labels.values() for name in names)
    releases = published.label_releases().set_index("finding")
    assert {name: images[name] for name in (*FINDINGS, NO_FINDING)} == releases["v2020"].to_dict()

    lines = (sample / "BBox_List_2017.csv").read_text(encoding="utf-8").splitlines()[1:]
    boxes = [(line.split(",")[0], line.split(",")[1]) for line in lines]
    boxes = [(image, name.replace("Infiltrate", "Infiltration")) for image, name in boxes]
    counts = Counter(name for _, name in boxes)
    assert {name: counts[name] for name in FINDINGS} == releases["boxes"].drop(NO_FINDING).to_dict()
    assert set(counts) == set(BOXED_FINDINGS)
    # Every boxed pair stands once, and v2020 has the label: what the audit's share rests on.
    assert len(set(boxes)) == len(boxes)
    assert all(name in labels[image] for image, name in boxes)

    facts = published.outside_facts()["value"]
    patient = {row[0]: row[3] for row in rows}
    boxed = {image for image, _ in boxes}
    assert (len(boxes), len(boxed)) == (facts["boxes"], facts["boxed_images"])
    assert len({patient[image] for image in boxed}) == facts["boxed_patients"]
    for name in ("train_val", "test"):
        listed = (sample / f"{name}_list.txt").read_text(encoding="utf-8").split()
        assert len(listed) == facts[f"official_{name}_images"]
        assert len({patient[image] for image in listed}) == facts[f"official_{name}_patients"]


def test_every_cited_work_is_in_the_bibliography():
    entries = (REPOSITORY / "book" / "references.bib").read_text(encoding="utf-8")
    keys = {*published.table3_works()["key"], *published.table3_elsewhere()["key"]}
    assert not [key for key in keys if f"{{{key}," not in entries]
