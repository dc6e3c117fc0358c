"""Maps against regions, with the numbers worked out by hand."""

from pathlib import Path

import layout
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestkd.data import nih
from chestkd.data.splits import SplitError, split
from chestkd.evaluation import localization, localization_tables, marked_regions
from chestkd.evaluation.auc import MEAN
from chestkd.evaluation.localization import Region
from chestkd.findings import BOXED_FINDINGS, FINDINGS
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.writing import generate


def region(
    boxes: list[tuple[float, ...]], size: int = 8, finding: str = "Mass", patient: int = 1
) -> Region:
    given = np.array(boxes, float)
    return Region(0, patient, finding, marked_regions.box_mask(given, size), given)


def spot(row: int, column: int, size: int = 8) -> np.ndarray:
    strength = np.zeros((size, size))
    strength[row, column] = 1
    return strength


# Measures


def test_pointing_by_hand():
    mask = region([(2, 4, 3, 2)]).mask  # columns 2 to 4, rows 4 and 5
    assert mask.sum() == 6
    assert localization.pointing(spot(5, 4), mask) == 1
    assert localization.pointing(spot(5, 5), mask) == 0
    # Four maxima, one of them inside.
    tie = spot(5, 4) + spot(0, 0) + spot(0, 1) + spot(7, 7)
    assert localization.pointing(tie, mask) == 0.25


def test_energy_by_hand():
    mask = region([(2, 4, 3, 2)]).mask
    strength = 3 * spot(5, 4) + spot(0, 0)
    assert localization.energy(strength, mask) == 0.75


def test_a_map_that_says_nothing_scores_as_the_share_of_the_image():
    of = region([(2, 4, 3, 2)])
    for strength in (np.zeros((8, 8)), np.full((8, 8), 5.0)):
        found = localization.score(strength, of)
        assert found["pointing"] == pytest.approx(6 / 64)
        assert found["energy"] == pytest.approx(6 / 64)
        assert found["constant"] == 1
        assert found["marked boxes"] == 0
        assert not any(found[name] for name in localization.OVERLAPS)
    assert localization.score(spot(5, 4), of)["constant"] == 0


def test_evidence_of_signed_maps():
    maps = np.zeros((1, 5, 5))
    maps[0, 1, 1], maps[0, 3, 3] = -2, 1
    absolute = localization.evidence(maps, "absolute", blur=0)
    positive = localization.evidence(maps, "positive", blur=0)
    assert (absolute[0, 1, 1], absolute[0, 3, 3]) == (2, 1)
    assert (positive[0, 1, 1], positive[0, 3, 3]) == (0, 1)
    # Above the lowest value: a constant added to the map changes nothing.
    for constant in (0, -7, 7):
        relative = localization.evidence(maps + constant, "relative", blur=0)
        assert (relative[0, 1, 1], relative[0, 3, 3], relative[0, 0, 0]) == (0, 3, 2)
    blurred = localization.evidence(maps, "absolute", blur=0.2)
    assert blurred.sum() == pytest.approx(3, rel=0.05)
    assert blurred.max() < 1
    # A blur of a constant stays one.
    flat = localization.evidence(np.full((1, 9, 9), -0.1), "absolute", blur=0.2)
    assert np.ptp(flat) == 0


def test_maps_that_are_not_finite_are_refused():
    maps = np.zeros((3, 8, 8))
    maps[2, 0, 0] = np.nan
    with pytest.raises(ValueError, match="map 2 of 3 is not finite"):
        localization.evidence(maps, "absolute")
    with pytest.raises(ValueError, match="received 'signed'"):
        localization.evidence(maps, "signed")
    with pytest.raises(ValueError, match="2 maps for 1 regions"):
        localization.score_maps(np.zeros((2, 8, 8)), "absolute", [region([(0, 0, 2, 2)])])
    with pytest.raises(ValueError, match=r"\(9, 9\) pixels for a region of \(8, 8\)"):
        localization.score(np.zeros((9, 9)), region([(0, 0, 2, 2)]))


def test_otsu_separates_two_values():
    strength = np.array([[0.0, 0.1, 0.0], [0.9, 1.0, 0.0]])
    assert 0.1 < localization.otsu_threshold(strength) < 0.9
    assert np.isnan(localization.otsu_threshold(np.full((3, 3), 2.0)))


def test_otsu_agrees_with_scikit_image():
    filters = pytest.importorskip("skimage.filters", reason="scikit-image is not installed")
    for seed in range(5):
        random = np.random.default_rng(seed)
        strength = localization.random_evidence((40, 30), random) ** (1 + seed)
        bin_width = np.ptp(strength) / 256
        theirs = filters.threshold_otsu(strength)
        assert localization.otsu_threshold(strength) == pytest.approx(theirs, abs=bin_width)


def test_marked_boxes_by_hand():
    strength = np.zeros((8, 8))
    strength[1:3, 2:5] = 1  # rows 1 2, columns 2 3 4
    strength[3, 5] = 1  # touches at the corner
    strength[6, 0] = 1
    found = localization.marked_boxes(strength)
    assert sorted(map(tuple, found)) == [(0, 6, 1, 1), (2, 1, 4, 3)]
    assert localization.marked_boxes(np.zeros((8, 8))).shape == (0, 4)


def test_overlaps_by_hand():
    marked = np.array([[0, 0, 2, 2], [6, 6, 1, 1]], float)
    given = np.array([[1, 1, 4, 2]], float)  # shares one pixel with the first
    of_union, of_marked = localization.overlaps(marked, given)
    np.testing.assert_allclose(of_union, [[1 / (4 + 8 - 1)], [0]])
    np.testing.assert_allclose(of_marked, [[1 / 4], [0]])


def test_score_by_hand():
    strength = np.zeros((8, 8))
    strength[4:6, 2:4] = 1  # a 2 x 2 box, 2 x 2 of it inside
    strength[0, 0] = 1  # elsewhere
    found = localization.score(strength, region([(2, 4, 3, 2), (6, 0, 2, 2)]))
    # First box: IoU 4 / 6, IoBB 1. Second box: nothing.
    assert [found[f"IoU > {limit}"] for limit in (0.1, 0.25, 0.5)] == [0.5, 0.5, 0.5]
    assert [found[f"IoBB > {limit}"] for limit in (0.1, 0.25, 0.5)] == [0.5, 0.5, 0.5]
    assert found["marked boxes"] == 2
    assert found["boxes elsewhere"] == 1
    assert found["energy"] == pytest.approx(4 / 5)
    larger = np.zeros((8, 8))
    larger[2:8, 0:6] = 1  # 36 pixels around the 6 of the box: IoU = IoBB = 1 / 6
    found = localization.score(larger, region([(2, 4, 3, 2)]))
    assert [found[f"IoU > {limit}"] for limit in (0.1, 0.25, 0.5)] == [1, 0, 0]


@given(st.integers(0, 2**32 - 1))
def test_scores_are_shares(seed):
    random = np.random.default_rng(seed)
    start, extent = random.uniform(0, 12, 2), random.uniform(0.1, 4, 2)
    of = region([(*start, *extent)], size=16)
    found = localization.score(localization.random_evidence((16, 16), random), of)
    for name in ("pointing", "energy", *localization.OVERLAPS):
        assert 0 <= found[name] <= 1
    for kind in ("IoU", "IoBB"):
        shares = [found[f"{kind} > {limit}"] for limit in localization.THRESHOLDS]
        assert shares == sorted(shares, reverse=True)
    assert all(found[f"IoU > {t}"] <= found[f"IoBB > {t}"] for t in localization.THRESHOLDS)
    assert found["boxes elsewhere"] <= found["marked boxes"]


# Baselines


def test_the_center_points_at_the_center():
    strength = localization.center_evidence((9, 9))
    assert np.unravel_index(strength.argmax(), (9, 9)) == (4, 4)
    middle = region([(3, 3, 4, 4)])
    aside = region([(0, 0, 2, 2)])
    found = localization.score_center([middle, aside])
    assert found["pointing"].tolist() == [1, 0]


def test_noise_hits_as_often_as_the_region_is_large():
    of = [region([(16, 16, 16, 16)], size=32)]  # in a corner
    found = localization.score_random(of, np.random.default_rng(0), draws=400)
    assert found["pointing"][0] == pytest.approx(0.25, abs=0.06)
    assert found["energy"][0] == pytest.approx(0.25, abs=0.02)
    assert found["marked boxes"][0] > 3


# Regions


def test_pixels_of_boxes_by_hand():
    mask = marked_regions.box_mask(np.array([[0.6, 1.0, 2.0, 1.4]]), 5)
    # Centers .5 1.5 2.5 in x from .6 to 2.6: columns 1 and 2. In y from 1 to 2.4: row 1.
    assert np.argwhere(mask).tolist() == [[1, 1], [1, 2]]
    tiny = marked_regions.box_mask(np.array([[3.6, 2.6, 0.2, 0.2]]), 5)
    assert np.argwhere(tiny).tolist() == [[2, 3]]


def test_boxes_are_cut_at_the_border_and_refused_outside():
    cut = marked_regions.clip_boxes(np.array([[-1.0, 6, 4, 4]]), 8, "a.png")
    assert cut.tolist() == [[0, 6, 3, 2]]
    with pytest.raises(ValueError, match=r"a\.png: box \[9\.0, 0\.0, 2\.0, 2\.0\].* lies outside"):
        marked_regions.clip_boxes(np.array([[0.0, 0, 1, 1], [9, 0, 2, 2]]), 8, "a.png")


def test_regions_of_boxes_are_those_of_the_test_images(tmp_path: Path):
    dataset = nih.read(layout.write(tmp_path / "data", patients=24))
    official = split(dataset, "official")
    found = marked_regions.all_regions(dataset, official, 32)
    pairs = dataset.boxes[["row", "finding"]].drop_duplicates()
    assert len(found) == len(pairs) > 3
    assert {each.row for each in found} <= set(official.test)
    one = found[0]
    (box,) = dataset.boxes_of(one.row, 32, 32).query("finding == @one.finding").itertuples()
    np.testing.assert_allclose(one.boxes, [[box.x, box.y, box.w, box.h]])
    assert one.patient == dataset.table["patient"][one.row]
    with pytest.raises(SplitError, match="leak into training on the random split"):
        marked_regions.all_regions(dataset, split(dataset, "random"), 32)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory):
    specification = PhantomSpecification(images=64, size=48, tempering=1.0)
    folder = tmp_path_factory.mktemp("phantom") / "data"
    return nih.read(generate(specification, folder, processes=1, progress=False))


def test_regions_of_the_phantom_are_its_masks(phantom):
    official = split(phantom, "official")
    found = marked_regions.all_regions(phantom, official, 48)
    assert {each.row for each in found} <= set(official.test)
    assert len({each.finding for each in found} - set(BOXED_FINDINGS)) >= 3
    truth = pd.read_csv(phantom.folder / "truth.csv.gz").set_index("Image Index")
    for each in found:
        line = truth.loc[phantom.table["image"][each.row]]
        assert each.finding in line["True Labels"].split("|")
        x, y, width, height = map(float, line[f"{each.finding} box [x y w h]"].split())
        assert each.mask.any()
        if len(each.mask) == 48:
            np.testing.assert_allclose(each.boxes[0] * 1024 / 48, [x, y, width, height], atol=44)
    smaller = marked_regions.all_regions(phantom, official, 24)
    for large, small in zip(found, smaller, strict=True):
        assert small.mask.shape == (24, 24)
        covered = large.mask.reshape(24, 2, 24, 2).mean(axis=(1, 3))
        np.testing.assert_array_equal(small.mask, covered >= 0.5)


def test_choosing_regions(phantom):
    found = marked_regions.all_regions(phantom, split(phantom, "official"), 24)
    few = marked_regions.choose(found, 2, seed=3)
    counts = pd.Series([each.finding for each in few]).value_counts()
    assert counts.max() == 2
    assert [each.row for each in few] == [
        each.row for each in marked_regions.choose(found, 2, seed=3)
    ]
    assert marked_regions.choose(found, None, seed=3) is found


def test_boxes_of_the_real_sample(shared: Path):
    """What dataset-facts says of pointing at the center, on all 984 boxes of NIH's list."""
    _, _, boxes, _ = nih.read_metadata(shared / "data" / "chestxray14-sample")
    inside = (
        (boxes["x"] < 0.5) & (boxes["x"] + boxes["w"] > 0.5)
        & (boxes["y"] < 0.5) & (boxes["y"] + boxes["h"] > 0.5)
    )  # fmt: skip
    share = inside.groupby(boxes["finding"]).mean()
    strength = localization.center_evidence((256, 256))
    for finding, expected in (("Cardiomegaly", 0.97), ("Infiltration", 0.23), ("Nodule", 0.0)):
        assert share[finding] == pytest.approx(expected, abs=0.005)
        of = boxes.loc[boxes["finding"] == finding, ["x", "y", "w", "h"]].to_numpy() * 256
        hits = [
            localization.pointing(strength, marked_regions.box_mask(box[None], 256)) for box in of
        ]
        assert np.mean(hits) == pytest.approx(expected, abs=0.02)


# Tables


def scored(values: dict[str, list[tuple[int, float]]]) -> pd.DataFrame:
    """Scores whose every measure is the given value, for patients of each finding."""
    rows = [
        {"row": at, "patient": patient, "finding": finding}
        | dict.fromkeys(localization.MEASURES, value)
        for finding, of in values.items()
        for at, (patient, value) in enumerate(of)
    ]
    return pd.DataFrame(rows)


def test_the_table_by_hand():
    mass = [(1, 1.0), (2, 0.0), (3, 1.0), (3, 0.0), (4, 1.0), (5, 0.0)]
    nodule = [(at, 1.0) for at in range(1, 6)]
    scores = scored({"Mass": mass, "Nodule": nodule, "Edema": [(1, 0.0)] * 2})
    table = localization_tables.localization_table({"CAM": scores}, resamples=500)
    rows = table[table["measure"] == "pointing"].set_index("finding")
    assert rows.index.tolist() == [*FINDINGS, MEAN]
    assert rows.loc["Mass", "value"] == 0.5
    assert rows.loc["Mass", ["regions", "patients"]].tolist() == [6, 5]
    # One of the five has two of the six regions: 6^2 / (2^2 + 4 * 1^2) = 4.5.
    assert rows.loc["Mass", "effective patients"] == 4.5
    assert rows.loc["Mass", "note"] == "† 5 patients"
    assert rows.loc["Hernia", "effective patients"] == 0
    assert rows.loc["Nodule", "value"] == 1
    assert rows.loc["Nodule", ["low", "high"]].tolist() == [1, 1]
    # One patient shows no spread: no interval, and no part in the mean.
    assert rows.loc["Edema", "value"] == 0
    assert rows.loc["Edema", ["low", "high"]].isna().all()
    assert rows.loc["Edema", "note"] == "no interval (1 patient)"
    assert rows.loc[MEAN, "value"] == 0.75
    assert rows.loc[MEAN, "note"] == "of 2 findings"
    assert rows.loc[MEAN, ["regions", "patients"]].tolist() == [11, 5]
    assert 0 <= rows.loc["Mass", "low"] < 0.5 < rows.loc["Mass", "high"] <= 1
    assert np.isnan(rows.loc["Hernia", "value"])
    assert rows.loc["Hernia", "note"] == "n/a (0 regions)"
    shown = localization_tables.readable_table(table, "pointing")
    assert shown.columns.tolist() == [
        "finding", "regions", "patients", "effective patients", "CAM",
    ]  # fmt: skip
    few = {"Mass", "Nodule", "Edema"}
    marked = [name + " †" * (name in few) for name in FINDINGS]
    assert shown["finding"].tolist() == [*marked, "Mean of 2 findings"]
    shown["finding"] = shown["finding"].str.removesuffix(" †")
    shown = shown.set_index("finding")["CAM"]
    assert shown["Nodule"] == "1.00 (1.00 to 1.00)"
    assert shown["Edema"] == "0.00 (n/a)"
    assert shown["Hernia"] == "n/a (0 regions)"


def test_too_few_patients_for_any_mean():
    scores = scored({"Mass": [(1, 1.0), (2, 0.0)]})
    table = localization_tables.localization_table({"CAM": scores}, resamples=50)
    (mean,) = table[(table["finding"] == MEAN) & (table["measure"] == "energy")].to_dict("records")
    assert np.isnan([mean["value"], mean["low"], mean["high"]]).all()
    shown = localization_tables.readable_table(table, "energy").set_index("finding")["CAM"]
    assert shown["Mean of 0 findings"] == "of 0 findings"
    assert np.isnan(
        localization_tables.localization_difference(scores, scores, "energy", resamples=50).low
    )


def test_intervals_are_over_patients_not_images():
    # Five patients with 20 images each: hardly anything is known.
    one = scored({"Mass": [(at % 5, float(at % 5 < 2)) for at in range(100)]})
    many = scored({"Mass": [(at, float(at < 50)) for at in range(100)]})
    widths = []
    for scores in (one, many):
        table = localization_tables.localization_table({"CAM": scores}, resamples=400)
        row = table[(table["measure"] == "energy") & (table["finding"] == "Mass")].iloc[0]
        widths.append(row["high"] - row["low"])
    assert widths[0] >= 0.8
    assert widths[1] < 0.25


def test_comparing_maps_on_the_same_resamples():
    reference = scored({"Mass": [(at, 0.2 + at / 100) for at in range(30)]})
    better = scored({"Mass": [(at, 0.3 + at / 100) for at in range(30)]})
    found = localization_tables.localization_difference(better, reference, "energy", resamples=200)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_scores_that_do_not_belong_together_are_refused():
    scores = scored({"Mass": [(1, 1.0)]})
    other = scored({"Mass": [(2, 1.0)]})
    with pytest.raises(ValueError, match="CAM and center were not scored on the same regions"):
        localization_tables.localization_table({"CAM": scores, "center": other})
    with pytest.raises(ValueError, match="no region was scored"):
        localization_tables.localization_table({"CAM": scores.iloc[:0]})
    with pytest.raises(ValueError, match="no scores"):
        localization_tables.localization_table({})
