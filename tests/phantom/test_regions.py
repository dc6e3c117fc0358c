from dataclasses import replace

import numpy as np
import pytest

from chestkd.findings import FINDINGS
from chestkd.phantom.blocks import visit_of
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.regions import LEAST_PART, SHARE, box, changed_region
from chestkd.phantom.render import Visit, draw
from chestkd.phantom.specification import PhantomSpecification

# Everything random is on: noise, mimics, lines and tubes, other findings.
SPECIFICATION = PhantomSpecification(images=12_000, size=64, seed=1, tempering=0.5)
VISITS = 40


def without(visit: Visit, finding: str) -> Visit:
    others = {name: severity for name, severity in visit.severities.items() if name != finding}
    return replace(visit, severities=others)


def share_inside(visit: Visit, finding: str, specification: PhantomSpecification) -> float:
    """Share of the squared difference in gray, with and without a finding, inside its mask."""
    sick = draw(visit, specification)
    well = draw(without(visit, finding), specification, with_masks=False)
    squared = (sick.pixels.astype(float) - well.pixels) ** 2
    return float(squared[sick.masks[finding]].sum() / squared.sum())


@pytest.fixture(scope="module")
def plan():
    return draw_plan(SPECIFICATION)


@pytest.mark.slow
@pytest.mark.parametrize("name", FINDINGS)
def test_a_mask_contains_what_is_seen_of_its_finding(name, plan):
    rows = np.flatnonzero(plan.severities[:, FINDINGS.index(name)] > 0)
    _, first = np.unique(plan.patient[rows], return_index=True)
    visits = [visit_of(plan, row) for row in rows[np.sort(first)][:VISITS]]
    assert len(visits) == VISITS
    shares = [share_inside(visit, name, SPECIFICATION) for visit in visits]
    assert np.mean(shares) >= 0.75, np.round(shares, 2)


def test_there_is_a_mask_for_each_finding_that_is_there_and_for_no_other(plan):
    for row in range(0, 400, 10):
        visit = visit_of(plan, row)
        radiograph = draw(visit, SPECIFICATION)
        assert set(radiograph.masks) == set(radiograph.signs) == set(visit.severities)
        for name, mask in radiograph.masks.items():
            assert mask.shape == radiograph.signs[name].shape == (64, 64)
            assert mask.any(), (row, name)
            assert radiograph.boxes[name] == box(mask)


def test_masks_change_no_pixel_and_can_be_left_out(plan):
    rows = np.flatnonzero((plan.severities > 0).sum(axis=1) > 1)[:5]
    for visit in (visit_of(plan, row) for row in rows):
        quick = draw(visit, SPECIFICATION, with_masks=False)
        assert quick.masks == quick.boxes == {}
        np.testing.assert_array_equal(quick.pixels, draw(visit, SPECIFICATION).pixels)


@pytest.mark.parametrize("name", FINDINGS)
def test_drawing_without_a_finding_is_drawing_a_visit_that_lacks_it(name):
    """What a mask is taken from is the very chest that a visit without the finding has."""
    others = {"Cardiomegaly": 0.5, "Fibrosis": 0.4, "Edema": 0.6, name: 0.7}
    visit = Visit(5, 0, False, 66, "AP", others, shortcut=True)
    noiseless = replace(SPECIFICATION, noise=0.0)
    sick = draw(visit, noiseless).pixels.astype(float)
    well = draw(without(visit, name), noiseless).pixels.astype(float)
    mask = draw(visit, noiseless).masks[name]
    squared = (sick - well) ** 2
    assert squared[mask].mean() > 5 * squared[~mask].mean()


def test_a_sign_lies_where_a_reader_points():
    """Plates and crescents are parts of what changes; the heart is the whole of it."""
    quiet = replace(SPECIFICATION, size=128, noise=0.0, mimic_rate=0.0)

    def drawn(name):
        return draw(Visit(3, 0, False, 50, "PA", {name: 0.8}), quiet)

    for name in ("Atelectasis", "Pneumothorax"):
        radiograph = drawn(name)
        assert radiograph.signs[name].sum() < 0.6 * radiograph.masks[name].sum(), name
    heart = drawn("Cardiomegaly")
    assert heart.signs["Cardiomegaly"].sum() > 2 * heart.masks["Cardiomegaly"].sum()


def test_the_region_of_a_change_by_hand():
    change = np.zeros((100, 100))
    change[20:40, 30:50] = -3
    # A tenth of the squared change, and spread so thinly that it comes last.
    change[60:100, 60:100] = np.sqrt(0.1 * 20 * 20 * 9 / 40**2)
    region = changed_region(change)
    assert region[21:39, 31:49].all()
    assert not region[60:, 60:].any()
    share = (change[region] ** 2).sum() / (change**2).sum()
    assert SHARE - 0.01 < share < SHARE + 0.01


def test_small_separate_parts_are_dropped_and_the_largest_never_is():
    change = np.zeros((100, 100))
    change[10:30, 10:30] = 1
    change[70:73, 70:73] = 1
    assert LEAST_PART > 9 / 409
    region = changed_region(change)
    assert region[15:25, 15:25].all()
    assert not region[60:, 60:].any()
    specks = np.zeros((100, 100))
    specks[5::10, 5::10] = np.linspace(1, 1.1, 100).reshape(10, 10)
    assert changed_region(specks).any()
    assert not changed_region(np.zeros((100, 100))).any()


def test_the_box_of_a_mask_by_hand():
    mask = np.zeros((8, 8), bool)
    mask[2:5, 6] = True
    # A pixel is 128 units wide: columns 6 to 7, rows 2 to 5.
    assert box(mask) == (768, 256, 128, 384)
    assert box(np.zeros((8, 8), bool)) is None
