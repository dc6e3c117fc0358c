from dataclasses import fields, replace

import numpy as np
import pytest

from chestkd.findings import FINDINGS
from chestkd.phantom.anatomy import at_visit, draw_anatomy, heart_half_widths
from chestkd.phantom.frame import Frame, Pose, polyline
from chestkd.phantom.layers import Layers, draw_layers
from chestkd.phantom.physics import Exposure, add_noise, display, transmit, window
from chestkd.phantom.render import Visit, draw
from chestkd.phantom.signatures import SIGNATURES
from chestkd.phantom.specification import PhantomSpecification

QUIET = PhantomSpecification(images=1, size=128, seed=5, noise=0.0, mimic_rate=0.0)
HEALTHY = Visit(patient=3, number=0, female=False, age=50, view="PA", severities={})


def with_finding(name, severity=0.8, **changes):
    return replace(HEALTHY, severities={name: severity}, **changes)


def thickness(radiograph):
    """Attenuation, averaged down to the pixels of the finished image."""
    return radiograph.layers.frame.finish(radiograph.layers.thickness())


@pytest.fixture(scope="module")
def healthy():
    return draw(HEALTHY, QUIET)


def test_every_finding_has_a_signature_that_grows_with_severity():
    assert tuple(SIGNATURES) == FINDINGS
    for name, signature in SIGNATURES.items():
        assert 0 <= signature.strength(0.0) < signature.strength(1.0), name


@pytest.mark.parametrize("size", [32, 64, 100, 128, 224])
def test_an_image_has_the_size_and_type_asked_for(size):
    pixels = draw(with_finding("Mass"), replace(QUIET, size=size)).pixels
    assert pixels.shape == (size, size)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20


def test_the_same_visit_gives_the_same_pixels():
    noisy = replace(QUIET, noise=1.0, mimic_rate=1.0)
    first = draw(with_finding("Edema"), noisy)
    np.testing.assert_array_equal(first.pixels, draw(with_finding("Edema"), noisy).pixels)
    for other in (replace(HEALTHY, patient=4), replace(HEALTHY, number=1)):
        assert (first.pixels != draw(other, noisy).pixels).mean() > 0.5
    assert (first.pixels != draw(with_finding("Edema"), replace(noisy, seed=6)).pixels).any()


def test_two_sizes_show_the_same_chest():
    small = draw(with_finding("Effusion"), QUIET).pixels.astype(float)
    large = draw(with_finding("Effusion"), replace(QUIET, size=256)).pixels.astype(float)
    averaged = large.reshape(128, 2, 128, 2).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), averaged.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_a_finding_changes_the_image_and_has_a_box_around_its_mask(name, view):
    visit = with_finding(name, view=view)
    sick = draw(visit, QUIET)
    well = draw(replace(visit, severities={}), QUIET)
    mask, sign = sick.masks[name], sick.signs[name]
    assert set(sick.masks) == set(sick.signs) == {name}
    assert 0.001 < mask.mean() < 0.6
    assert 0.001 < sign.mean() < 0.6
    x, y, width, height = sick.boxes[name]
    assert 0 <= x < x + width <= 1024
    assert 0 <= y < y + height <= 1024
    change = np.abs(thickness(sick) - thickness(well))
    assert change[mask].mean() > 0.02
    assert change[sign].mean() > 0.02
    assert change[mask].mean() > 3 * change[~mask].mean()
    # Signs that do not move the outlines of the chest leave the rest of the image alone.
    if SIGNATURES[name].shape is None and name != "Edema":
        assert change[sign].mean() > 4 * change[~sign].mean()


@pytest.mark.parametrize("name", FINDINGS)
def test_a_marked_sign_is_seen_better_than_a_subtle_one(name):
    well = draw(HEALTHY, QUIET).layers.thickness()
    faint, marked = (
        np.abs(draw(with_finding(name, severity), QUIET).layers.thickness() - well).sum()
        for severity in (0.05, 0.95)
    )
    assert marked > 1.3 * faint


def test_a_finding_stays_where_it_was_at_the_next_visit():
    boxes = [
        draw(with_finding("Nodule", number=number), QUIET).boxes["Nodule"] for number in (0, 1)
    ]
    centers = [np.array([x + width / 2, y + height / 2]) for x, y, width, height in boxes]
    assert np.hypot(*(centers[0] - centers[1])) < 80
    elsewhere = draw(with_finding("Nodule", patient=8), QUIET).boxes["Nodule"]
    assert elsewhere != boxes[0]


def test_findings_darken_or_whiten_as_they_should(healthy):
    before = thickness(healthy)
    for name in ("Consolidation", "Effusion", "Mass", "Pneumonia", "Pleural_Thickening"):
        sick = draw(with_finding(name), QUIET)
        assert (thickness(sick) - before)[sick.signs[name]].mean() > 0.05, name
        assert (thickness(sick) - before)[sick.masks[name]].mean() > 0.05, name
    for name in ("Pneumothorax", "Emphysema"):
        sick = draw(with_finding(name), QUIET)
        sign = sick.signs[name] & (healthy.layers.frame.finish(healthy.layers.lung) > 0.9)
        assert (thickness(sick) - before)[sign].mean() < -0.02, name


def test_cardiomegaly_raises_the_cardiothoracic_ratio():
    generator = np.random.default_rng(0)
    normal = draw_anatomy(generator, False, 50)
    for severity in (0.0, 1.0):
        signature = SIGNATURES["Cardiomegaly"]
        large = signature.shape(normal, signature.strength(severity), generator)
        raised = large.cardiothoracic_ratio - normal.cardiothoracic_ratio
        assert 0.02 < raised < 0.1501
        assert sum(heart_half_widths(large)) == pytest.approx(
            2 * large.half_width * large.cardiothoracic_ratio
        )


def test_ap_views_are_less_inspired_and_show_a_larger_heart():
    normal = draw_anatomy(np.random.default_rng(0), True, 60)
    views = {
        view: [at_visit(normal, np.random.default_rng(seed), view) for seed in range(40)]
        for view in ("PA", "AP")
    }
    height = {view: np.mean([a.domes for a in drawn]) for view, drawn in views.items()}
    ratio = {
        view: np.mean([a.cardiothoracic_ratio for a in drawn]) for view, drawn in views.items()
    }
    assert height["AP"] < height["PA"] - 0.02
    assert ratio["AP"] > ratio["PA"] + 0.02
    # The right dome stands higher than the left one.
    assert all(a.domes[0] < a.domes[1] for drawn in views.values() for a in drawn)


def test_the_heart_lies_to_the_patients_left(healthy):
    layers = healthy.layers
    low = np.abs(layers.frame.y - 0.6) < 0.02
    right, left = (layers.heart[low & (side * layers.frame.x > 0.06)] > 0.4 for side in (-1, 1))
    assert left.sum() > 1.5 * right.sum()


def test_the_planted_tube_is_in_the_image(healthy):
    planted = draw(replace(HEALTHY, shortcut=True), QUIET)
    added = planted.layers.devices - healthy.layers.devices
    assert added.max() > 0.5
    # It lies at the patient's left, the right of the image.
    assert planted.layers.frame.x[added > 0.3].min() > 0.1


def test_pixels_and_points_agree_about_the_pose():
    frame = Frame(64, Pose(angle=0.1, scale=1.2, right=0.03, down=-0.02))
    rows, columns = np.array([0, 17, 100]), np.array([5, 64, 127])
    points = np.stack([frame.x[rows, columns], frame.y[rows, columns]], axis=1)
    np.testing.assert_allclose(
        frame.rows_and_columns(points), np.stack([rows, columns], axis=1), atol=1e-9
    )


@pytest.mark.parametrize("size", [64, 128, 256])
def test_a_line_is_as_high_as_its_weight_at_every_size(size):
    frame = Frame(size)
    points, lengths = polyline(np.array([[-0.3, 0.5], [0.3, 0.5]]), 0.002)
    count = len(points)
    image = frame.strokes(points, np.full(count, 0.02), np.full(count, 0.7), lengths)
    middle = image[:, frame.pixels // 2]
    assert middle.max() == pytest.approx(0.7, rel=0.2)
    # The area under the profile does not depend on the size of the image.
    assert middle.sum() / frame.pixels == pytest.approx(
        0.7 * 0.6 * 0.02 * np.sqrt(2 * np.pi), rel=0.02
    )


def test_polylines_keep_their_length():
    points, lengths = polyline(np.array([[0.0, 0.0], [0.3, 0.0], [0.3, 0.4]]), 0.01)
    assert lengths.sum() == pytest.approx(0.7)
    assert np.hypot(*np.diff(points, axis=0).T).max() < 0.011


def test_thicker_is_whiter_and_noise_is_where_little_light_arrives():
    ramp = np.tile(np.linspace(0, 4, 64), (64, 1))
    exposure = Exposure(photons=1e12, gamma=1.0, gain=1.0, scatter=0.0, blur=1e-6)
    light = transmit(ramp, exposure, 64)
    levels = window(light)
    clean = display(light, levels, exposure)
    assert (np.diff(clean[0]) >= 0).all()
    assert clean[0, 0] == 0
    assert clean[0, -1] == 1
    dim = replace(exposure, photons=500.0)
    noisy = display(add_noise(light, dim, np.random.default_rng(0)), levels, dim)
    deviation = (noisy - clean).std(axis=0)
    assert deviation.mean() > 1 / 255
    # Where the body is thin, much light arrives, and counting it is less certain.
    assert deviation[5:20].mean() > deviation[40:60].mean()


def test_layers_have_the_ranges_that_they_state():
    generator = np.random.default_rng(1)
    layers = draw_layers(Frame(64), draw_anatomy(generator, True, 30), generator)
    assert 0.15 < layers.lung.mean() < 0.5
    for share in (layers.lung, layers.heart, layers.depth):
        assert share.min() >= 0
        assert share.max() <= 1 + 1e-9
    assert layers.thickness().min() >= 0


@pytest.mark.parametrize("name", [name for name in FINDINGS if SIGNATURES[name].shape])
def test_layers_shared_with_another_shape_are_those_drawn_alone(name):
    """A map is taken from the other shape only where this finding does not change it."""
    signature, frame = SIGNATURES[name], Frame(64)
    well = draw_anatomy(np.random.default_rng(2), False, 60)
    sick = signature.shape(well, signature.strength(0.9), np.random.default_rng(3))
    before, alone = (draw_layers(frame, shape, np.random.default_rng(4)) for shape in (well, sick))
    shared = draw_layers(frame, sick, np.random.default_rng(4), like=before)
    for field in fields(Layers):
        if field.name not in ("frame", "anatomy"):
            np.testing.assert_array_equal(
                getattr(shared, field.name), getattr(alone, field.name), err_msg=field.name
            )
