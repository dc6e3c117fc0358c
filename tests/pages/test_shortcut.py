"""A network that learned a planted tube instead of the finding is caught by its maps."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from chestkd.evaluation.auc import auc_scores
from chestkd.findings import finding_index
from chestkd.networks import build
from chestkd.pages import shortcut
from chestkd.pages.map_panels import Panel
from chestkd.phantom import planted_tube
from chestkd.phantom.specification import PhantomSpecification
from chestkd.saliency.methods import Settings, explain

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
FINDING = "Effusion"


def specification(images: int, size: int, with_finding: float) -> PhantomSpecification:
    return PhantomSpecification(
        images=images,
        size=size,
        seed=0,
        shortcut=FINDING,
        shortcut_chance_with=with_finding,
        shortcut_chance_without=0.02,
        false_negative_scale=0.0,
        false_positive_rate=0.0,
        mimic_rate=0.0,
        tempering=0.0,
    )


@cache
def few() -> planted_tube.Radiographs:
    """Six radiographs, all drawn twice."""
    small = specification(1500, 32, 0.5)
    return planted_tube.draw_radiographs(
        planted_tube.choose_visits(small, 6, test=True), small, both=True, processes=1
    )


def test_visits_are_of_other_patients_and_half_have_the_finding():
    chosen = {test: planted_tube.choose_visits(specification(4000, 32, 0.5), 24, test=test)
              for test in (False, True)}  # fmt: skip
    for visits in chosen.values():
        assert {visit.view for visit in visits} == {"AP"}
        assert sum(FINDING in visit.severities for visit in visits) == 12
        number = pd.Series([(visit.patient, FINDING in visit.severities) for visit in visits])
        assert number.value_counts().max() <= 2
    patients = [{visit.patient for visit in visits} for visits in chosen.values()]
    assert not patients[0] & patients[1]
    with pytest.raises(ValueError, match=r"of 200 images has \d+ of the 250 AP test images"):
        planted_tube.choose_visits(specification(200, 32, 0.5), 500, test=True)


def test_radiographs_differ_by_the_tube_alone():
    found = few()
    assert found.plain.shape == found.tubed.shape == (6, 32, 32)
    assert found.present.sum() == 3
    area = found.masks.mean(axis=(1, 2))
    assert (area > 0).all()
    assert (area < 0.05).all()
    changed = np.abs(found.tubed.astype(int) - found.plain)
    assert changed[~found.masks].max() <= 8
    np.testing.assert_array_equal(found.images[found.planted], found.tubed[found.planted])
    np.testing.assert_array_equal(found.images[~found.planted], found.plain[~found.planted])


def test_without_both_the_tube_is_drawn_where_it_is_planted():
    always = specification(1500, 32, 1.0)
    visits = planted_tube.choose_visits(always, 4, test=True)
    found = planted_tube.draw_radiographs(visits, always, both=False, processes=1)
    assert found.planted[found.present].all()
    drawn = (found.tubed != found.plain).any(axis=(1, 2))
    np.testing.assert_array_equal(drawn, found.planted)


class Sees:
    """A network that answers with the mean of some pixels."""

    def __init__(self, masks: np.ndarray):
        self.masks = masks

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.array([i[m].mean() for i, m in zip(images, self.masks, strict=True)])


def test_reliance_by_hand(monkeypatch):
    test = few()
    answers = {"tube": Sees(test.masks), "constant": lambda images: np.zeros(len(images))}
    monkeypatch.setattr(shortcut, "logits", lambda model, images, finding: model(images))
    found = shortcut.reliance(answers, test, FINDING, resamples=50)
    rows = found.set_index(["network", "question"])["auc"]
    # The tube is brighter than what it covers, in the same image.
    assert rows["tube", "tube, finding absent"] >= 0.5
    assert (rows["constant"] == 0.5).all()
    tubed = np.where(test.planted, *(Sees(test.masks)(i) for i in (test.tubed, test.plain)))
    expected = auc_scores(test.present.astype(np.uint8)[:, None], tubed[:, None])[0]
    assert rows["tube", "finding, tubes as planted"] == pytest.approx(expected)
    assert len(found) == 6


def test_the_summary_by_hand():
    rows = [
        (network, "Gradient", at, patient, share, hit, 0.1)
        for network, shares in (("a", (0.4, 0.2)), ("b", (0.1, 0.1)))
        for at, (patient, share, hit) in enumerate(zip((1, 2), shares, (1.0, 0.0), strict=True))
    ]
    columns = ["network", "method", "image", "patient", "share", "hit", "area"]
    (row,) = shortcut.summary(pd.DataFrame(rows, columns=columns), "a", "b").to_numpy()
    assert row.tolist() == [
        "Gradient",
        "3.0 (2.0 to 4.0)",
        "1.0 (1.0 to 1.0)",
        "+0.200 (+0.100 to +0.300)",
        "0.50 (0.00 to 1.00)",
        "0.50 (0.00 to 1.00)",
    ]


def test_panels_show_the_tube_and_say_what_it_does():
    test = few()
    models = {"one": build.build_network("resnet-32", 32, seed=0)}
    plain, mapped = shortcut.panels(models, test, 2, FINDING, "gradient", Settings())
    np.testing.assert_array_equal(plain.image, test.tubed[2])
    np.testing.assert_array_equal(mapped.mask, test.masks[2])
    assert mapped.title == "Gradient\ntrained one"
    assert "without the tube" in mapped.note
    assert "of the evidence on" in mapped.note
    assert np.isnan(mapped.error)
    settings = Settings(most_steps=8)
    _, mapped = shortcut.panels(models, test, 2, FINDING, "integrated-gradients", settings)
    _, (error,), _ = explain(
        "integrated-gradients", models["one"], FINDING, test.tubed[2:3], settings
    )
    assert (mapped.error, mapped.steps) == (error, 8)


def test_evidence_on_the_tube_comes_with_the_error_of_each_map():
    test, settings = few(), Settings(most_steps=8)
    model = build.build_network("resnet-32", 32, seed=0)
    methods = ["gradient", "integrated-gradients"]
    found = shortcut.tube_evidence(
        {"one": model}, test.tubed, test.masks, test.patients, FINDING, methods, settings
    ).set_index("method")
    _, errors, steps = explain("integrated-gradients", model, FINDING, test.tubed, settings)
    assert found.loc["Gradient", ["error", "steps"]].isna().all(axis=None)
    np.testing.assert_array_equal(found.loc["Integrated gradients", "error"], errors)
    np.testing.assert_array_equal(found.loc["Integrated gradients", "steps"], steps)


def test_a_gallery_has_a_row_for_each_radiograph(monkeypatch):
    mapped = Panel("one", "", few().tubed[0], error=0.02, steps=9)
    monkeypatch.setattr(shortcut, "panels", lambda models, test, row, *options: [mapped] * 3)
    text = shortcut.gallery(
        {}, few(), [4, 2], FINDING, "cam", Settings(), name="f", caption="", source=""
    ).data
    assert text.count('<div class="panels"') == 2
    assert text.count('<div class="panel">') == 6
    assert text.count("9 gradients, completeness error 2.0%</div>") == 6
    assert "start from gray level 127.5 (mid-gray) and take 9 gradients a map" in text


def test_training_touches_the_finding_alone_and_repeats():
    test = few()
    models = [
        shortcut.train(test.images, test.present, FINDING, network="resnet-32", epochs=1, seed=4)
        for _ in range(2)
    ]
    for one, two in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, two)
    kernel = models[0].get_layer("logits").get_weights()[0]
    before = build.build_network("resnet-32", 32, seed=4).get_layer("logits").get_weights()[0]
    others = np.arange(14) != finding_index(FINDING)
    np.testing.assert_array_equal(kernel[:, others], before[:, others])
    assert (kernel[:, ~others] != before[:, ~others]).any()


@pytest.mark.slow
def test_maps_light_up_the_planted_tube():
    chosen = specification(24_000, 64, 1.0)
    drawn = [
        planted_tube.draw_radiographs(
            planted_tube.choose_visits(chosen, count, test=test), chosen, both=test
        )
        for count, test in ((600, False), (120, True))
    ]
    train, test = drawn
    models = {
        title: shortcut.train(images, train.present, FINDING, network="resnet-32", epochs=8, seed=0)
        for title, images in (("with tubes", train.images), ("without tubes", train.plain))
    }
    question = "tube, finding absent"
    reliance = shortcut.reliance(models, test, FINDING, resamples=200)
    reliance = reliance.set_index(["network", "question"])
    assert reliance.loc[("with tubes", question), "low"] > 0.6
    assert abs(reliance.loc[("without tubes", question), "auc"] - 0.5) < 0.1
    absent = ~test.present
    found = shortcut.tube_evidence(
        models,
        test.tubed[absent],
        test.masks[absent],
        test.patients[absent],
        FINDING,
        ["gradient", "integrated-gradients", "smoothgrad-integrated-gradients"],
        Settings(samples=4, most_steps=64),
    )
    means = found.groupby(["network", "method"])[["share", "area", "hit"]].mean()
    times = means["share"] / means["area"]
    print(times.round(2).to_string())
    assert (times["with tubes"] > 1.8).all()
    assert (times["with tubes"] > 1.25 * times["without tubes"]).all()
    assert (means.loc["with tubes", "hit"] > 4 * means.loc["with tubes", "area"]).all()
