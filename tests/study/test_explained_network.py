"""Which network is explained, the rules that choose images, and the page on trust's numbers."""

from types import SimpleNamespace

import layout
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from chestkd import workspace
from chestkd.data.splits import SplitError
from chestkd.evaluation import localization, localization_tables, marked_regions
from chestkd.evaluation.localization_tables import localization_table
from chestkd.pages import figure_4, figure_5, map_panels, saliency_trust
from chestkd.saliency.gradient import gradient
from chestkd.saliency.logit import Logit
from chestkd.saliency.methods import METHODS, Settings, describe, explain
from chestkd.study import explained_network
from chestkd.study.study import Study, open_study

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PRESET = """
purpose: A test.
phantom: {images: 40, size: 32}
size: 32
split: official
networks: [resnet-32, mobilenet-v1]
seeds: [0]
resamples: 50
recipe: {epochs: 1, batch_size: 8}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with one base run, of ResNet-32; MobileNet-v1 is planned and not made."""
    folder = tmp_path_factory.mktemp("study")
    preset = folder / "tiny.yaml"
    preset.write_text(PRESET)
    layout.write(folder / "data", patients=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHESTKD_BUILD", str(folder / "build"))
        found = open_study(str(preset), str(folder / "data"))
        found = Study(found.preset, found.preset_argument, found.data, progress=False)
        found.make(found.specification(found.planned()[0]))
        yield found


@pytest.fixture(scope="module")
def explained(study: Study) -> explained_network.Explained:
    return explained_network.explained_network(study, "resnet-32")


def test_the_network_that_was_asked_for(study, explained):
    assert explained.title == "ResNet-32"
    assert explained.note == ""
    assert explained.run.specification.network == "resnet-32"
    np.testing.assert_array_equal(explained.rows, study.split.test)
    scores = explained.run.scores()
    expected = 1 / (1 + np.exp(-scores["logits"].astype(np.float64)))
    np.testing.assert_allclose(explained.probabilities, expected)
    row = int(explained.rows[1])
    assert explained.probability(row, "Mass") == explained.probabilities[1, 4]
    with pytest.raises(ValueError, match="is not a test image"):
        explained.probability(int(study.split.train[0]), "Mass")


def test_another_network_stands_in_and_the_note_says_why(study, explained):
    other = explained_network.explained_network(study, "mobilenet-v1", again=explained)
    assert other.model is explained.model
    assert other.note.startswith("MobileNet-v1 has no finished base run in this study. Shown inst")
    large = explained_network.explained_network(study, "inception-v3", again=explained)
    assert "needs images of at least 75 pixels and these have 32" in large.note
    with pytest.raises(ValueError, match="unknown network 'lenet'"):
        explained_network.explained_network(study, "lenet")


def test_the_same_network_explains_images_of_another_size(study, explained):
    larger = explained_network.explained_network(study, "resnet-32", size=48)
    assert larger.images.shape[1:] == (48, 48)
    assert larger.model.input_shape == (None, 48, 48, 1)
    assert larger.size == 48
    assert "The images have 48 pixels, not the 32 of the training" in larger.note
    for one, two in zip(larger.model.get_weights(), explained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert larger.probabilities.shape == explained.probabilities.shape
    assert not np.allclose(larger.probabilities, explained.probabilities)
    found = gradient(Logit(larger.model, "Mass"), larger.images[larger.rows[:1]])
    assert found.shape == (1, 48, 48)
    same = explained_network.explained_network(study, "resnet-32", size=32)
    assert same.note == ""
    with pytest.raises(ValueError, match=r"needs images of at least \d+ pixels a side, received 8"):
        explained_network.explained_network(study, "resnet-32", size=8)


def test_without_a_base_run_there_is_nothing_to_explain(study, tmp_path, monkeypatch):
    monkeypatch.setenv("CHESTKD_BUILD", str(tmp_path))
    assert workspace.build() == tmp_path
    fresh = Study(study.preset, study.preset_argument, study.data, progress=False)
    with pytest.raises(LookupError, match=r"no finished base run .* for preset tiny"):
        explained_network.explained_network(fresh, "resnet-32")


def test_the_rules_by_hand():
    probabilities = np.zeros((4, 14))
    probabilities[:, 4] = 0.2, 0.9, 0.5, 0.7
    labels = np.zeros((4, 14), np.uint8)
    labels[[0, 2], 4] = 1
    explained = SimpleNamespace(
        rows=np.array([10, 11, 12, 13]), probabilities=probabilities, labels=labels
    )
    assert explained_network.most_confident(explained, "Mass") == 12
    assert explained_network.least_confident(explained, "Mass") == 10
    assert explained_network.most_confident(explained, "Mass", present=False) == 11
    assert explained_network.most_confident(explained, "Hernia") is None


def test_a_row_by_the_name_of_its_image(study):
    image = study.prepared.dataset.table["image"][5]
    assert explained_network.row_of(study, image) == 5
    with pytest.raises(ValueError, match=r"no image 'x\.png' among"):
        explained_network.row_of(study, "x.png")


def test_panels_say_what_they_show(study, explained):
    dataset = study.prepared.dataset
    marked = marked_regions.all_regions(dataset, study.split, explained.size)
    region = marked[0]
    first, second = (
        map_panels.map_panel(explained, region.row, region.finding, name, Settings(), region=region)
        for name in ("gradient", "cam")
    )
    assert first.title.endswith("Gradient")
    assert second.title.endswith("CAM")
    assert f"predicted {explained.probability(region.row, region.finding):.2f}" in first.note
    assert "of the evidence on" in first.note
    np.testing.assert_array_equal(first.boxes, region.boxes)
    np.testing.assert_array_equal(first.image, study.prepared.images[region.row])
    plain = map_panels.radiograph_panel(explained, dataset, region.row, region.finding)
    assert plain.evidence is None
    assert dataset.table["image"][region.row] in plain.title


def test_a_panel_without_evidence_says_so(study, explained, monkeypatch):
    nothing = np.zeros((1, explained.size, explained.size), np.float32)
    nan = np.array([np.nan])
    monkeypatch.setattr(map_panels, "explain", lambda *given, **options: (nothing, nan, nan))
    row = int(explained.rows[0])
    for name in ("gradient", "cam"):
        panel = map_panels.map_panel(explained, row, "Mass", name, Settings())
        assert panel.note.endswith("nothing speaks for the finding")


def test_galleries_show_what_is_there_and_name_what_is_missing(study, explained):
    settings = Settings()
    row = int(explained.rows[0])
    options = {"memory": 2**30, "name": "f", "caption": "Maps.", "source": "PHANTOM"}
    rows = {"Mass": row, "Pleural_Thickening": None}
    text = figure_4.gallery(
        explained, study.prepared.dataset, rows, ["gradient", "cam"], settings, **options
    ).data
    assert text.count('<div class="panel">') == 3
    assert "Maps. No such test image: Pleural thickening." in text
    integrated = ["gradient", "integrated-gradients"]
    for baseline, words in ((127.5, "gray level 127.5 (mid-gray)"), (0.0, "gray level 0 (black)")):
        settings = Settings(baseline=baseline, most_steps=16)
        _, (error,), _ = explain(
            "integrated-gradients", explained.model, "Mass", explained.images[[row]], settings
        )
        text = figure_4.gallery(
            explained, study.prepared.dataset, rows, integrated, settings, **options
        ).data
        sentence = describe(settings, [error], [16])
        assert f"Maps. {sentence} No such test image: Pleural thickening." in text
        assert f"start from {words}" in sentence
        assert text.count(f"16 gradients, completeness error {error:.1%}</div>") == 1
    settings = Settings()
    nothing = figure_4.gallery(
        explained, study.prepared.dataset, {"Mass": None}, ["cam"], settings, **options
    )
    assert nothing.data == "<p>No such test image: Mass.</p>"
    marked = marked_regions.all_regions(study.prepared.dataset, study.split, explained.size)
    findings = list(dict.fromkeys(region.finding for region in marked))
    assert len(findings) > 2
    chosen = figure_5.by_probability(explained, marked, [*findings, "none"], highest=True)
    lowest = figure_5.by_probability(explained, marked, findings, highest=False)
    assert [region.finding for region in chosen] == findings
    for first, last, finding in zip(chosen, lowest, findings, strict=True):
        values = [
            explained.probability(region.row, finding)
            for region in marked
            if region.finding == finding
        ]
        assert explained.probability(first.row, finding) == max(values)
        assert explained.probability(last.row, finding) == min(values)
    columns = figure_5.Column(explained, "cam"), figure_5.Column(explained, "gradient")
    assert columns[0].title == "CAM of ResNet-32"
    text = figure_5.gallery(
        chosen[:3], [*findings[:3], "Another_finding"], columns, settings, **options
    ).data
    assert text.count('<div class="panel">') == 6
    assert text.count('<div class="panels"') == 2
    assert "Maps. No marked test image: Another finding." in text
    columns = columns[0], figure_5.Column(explained, "integrated-gradients")
    text = figure_5.gallery(
        chosen[:1], findings[:1], columns, Settings(most_steps=16), **options
    ).data
    assert "Maps. Integrated gradients start from gray level 127.5 (mid-gray) and take 16 " in text
    assert "16 gradients, completeness error " in text
    empty = figure_5.gallery([], ["Mass"], columns, settings, **options)
    assert empty.data == "<p>No marked test image: Mass.</p>"


def test_regions_by_the_names_of_their_images(study, explained):
    marked = marked_regions.all_regions(study.prepared.dataset, study.split, explained.size)
    images = study.prepared.dataset.table["image"]
    given = {marked[0].finding: images[marked[0].row]}
    assert figure_5.by_name(study, marked, given) == [marked[0]]
    with pytest.raises(ValueError, match="must be test images with their finding marked, received"):
        figure_5.by_name(study, marked, {"Mass": images[study.split.train[0]]})


def test_what_the_page_on_trust_computes(study, explained, monkeypatch):
    images = explained.images[explained.rows[:3]]
    settings = Settings(samples=2, most_steps=8)
    sums = {}
    for limit in (2, 32):
        chosen = Settings(tolerance=0.0, most_steps=limit)
        _, errors, steps = explain("integrated-gradients", explained.model, "Mass", images, chosen)
        sums[f"{limit} steps"] = pd.DataFrame({"error": errors, "steps": steps})
    summary = saliency_trust.completeness(sums, 0.0).set_index("maps of")
    assert summary.index.tolist() == ["2 steps", "32 steps"]
    assert summary.loc["32 steps", "error"] < summary.loc["2 steps", "error"]
    assert summary["most gradients"].tolist() == [2, 32]
    assert summary["incomplete"].tolist() == [3, 3]
    assert summary.loc["2 steps", "largest error"] == sums["2 steps"]["error"].max()
    assert (saliency_trust.completeness(sums, np.inf)["incomplete"] == 0).all()
    table = saliency_trust.randomized(
        explained.model,
        "Mass",
        images,
        ["gradient", "guided-backpropagation", "cam"],
        settings,
        stages=2,
        generator=np.random.default_rng(0),
    )
    assert len(table) == 3 * 2 * 3
    changed = table[(table["method"] == "gradient") & (table["share"] == 1)]
    assert (changed["rank correlation"] < 0.9).all()
    marked = marked_regions.choose(
        marked_regions.all_regions(study.prepared.dataset, study.split, 32), 2, 0
    )
    scores = saliency_trust.localized(
        explained, marked, ["gradient", "cam"], settings, generator=np.random.default_rng(0)
    )
    assert not len(saliency_trust.completeness(scores, 0.01))
    integrated = saliency_trust.localized(
        explained, marked, ["integrated-gradients"], settings, generator=np.random.default_rng(0)
    )
    (row,) = saliency_trust.completeness(integrated, 0.01).to_dict("records")
    assert row["maps of"] == "Integrated gradients"
    assert (row["number"], row["most gradients"]) == (len(marked), 8)
    assert list(scores) == ["Gradient", "CAM", "center", "random"]
    # Grouped by finding, yet in the order of the regions.
    logit = Logit(explained.model, marked[1].finding)
    alone = gradient(logit, explained.images[[marked[1].row]])
    expected = localization.score_maps(alone, "absolute", [marked[1]])
    assert scores["Gradient"]["energy"][1] == pytest.approx(expected["energy"][0], rel=1e-4)
    # Two regions of a finding are too few for an interval.
    beaten = saliency_trust.against_baselines(scores, ("pointing",), resamples=50)
    assert set(beaten["over center"]) == {"n/a"}
    assert set(beaten["better than both"]) == {"no"}
    monkeypatch.setattr(localization_tables, "LEAST_PATIENTS", 1)
    summary = localization_table(scores, resamples=50)
    beaten = saliency_trust.against_baselines(scores, ("pointing", "energy"), resamples=50)
    assert beaten["map"].tolist() == ["Gradient", "Gradient", "CAM", "CAM"]
    difference = scores["CAM"]["energy"] - scores["center"]["energy"]
    by_finding = difference.groupby(scores["CAM"]["finding"], observed=True).mean().mean()
    assert beaten["over center"][3].startswith(f"{by_finding:+.2f} (")
    for figure in (
        saliency_trust.draw_randomized(table, {"gradient": "Gradient", "cam": "CAM"}),
        saliency_trust.draw_localization(summary, ("pointing", "energy")),
    ):
        assert figure.axes
        plt.close(figure)
    titles = {name: METHODS[name].title for name in table["method"].unique()}
    random = saliency_trust.all_random(table, titles).set_index("map")
    assert random.index.tolist() == list(titles.values())
    assert random.loc["Gradient", "SSIM"] == pytest.approx(changed["SSIM"].mean())
    assert random.loc["Gradient", "constant maps"] == 0
    means = saliency_trust.means(summary).set_index("map")
    assert means.index.tolist() == list(scores)
    assert list(means) == list(localization.MEASURES)
    assert means.loc["CAM", "energy"] == pytest.approx(
        scores["CAM"].groupby("finding", observed=True)["energy"].mean().mean()
    )
    against = saliency_trust.one_against_another(scores, "CAM", "center", resamples=50)
    assert against["measure"].tolist() == ["pointing", "energy", *localization.OVERLAPS]
    assert against["difference"][1] == pytest.approx(by_finding)
    decided = (against["low"] > 0) | (against["high"] < 0)
    assert ((against["verdict"] != "undecided") == decided).all()
    with pytest.raises(ValueError, match="no marked regions"):
        saliency_trust.localized(
            explained, [], ["cam"], settings, generator=np.random.default_rng(0)
        )


def test_scores_of_other_images_are_not_explained(study, monkeypatch):
    run = study.find(study.planned()[0])
    scores = run.scores()
    scores["images"] = scores["images"][::-1]
    monkeypatch.setattr(type(run), "scores", lambda self: scores)
    with pytest.raises(ValueError, match="are not of this study's test images"):
        explained_network.explained_network(study, "resnet-32")


def test_runs_of_other_splits_are_refused():
    def run(name: str, fingerprint: str) -> SimpleNamespace:
        return SimpleNamespace(
            id="base-resnet-32",
            specification=SimpleNamespace(split=name),
            record={"data": {"split_fingerprint": fingerprint}},
        )

    official = SimpleNamespace(fingerprint="a" * 64)
    explained_network.require_official(run("official", "a" * 64), official)
    for other in ("community", "random", "image-wise"):
        with pytest.raises(SplitError, match=f"was trained on the {other} split: boxed images"):
            explained_network.require_official(run(other, "a" * 64), official)
    with pytest.raises(SplitError, match="cannot be evaluated on split"):
        explained_network.require_official(run("official", "b" * 64), official)
