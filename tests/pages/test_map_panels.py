"""The switch between radiograph, map and overlay: colors, edges, and what the page holds."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from chestkd.pages import map_panels
from chestkd.pages.map_panels import Panel


def panel(**changes) -> Panel:
    image = np.full((6, 8), 100, np.uint8)
    strength = np.zeros((6, 8))
    strength[2, 3] = 1
    values = {"title": "Mass\n<CAM>", "note": "predicted 0.41", "image": image}
    return Panel(**{**values, "evidence": strength, **changes})


def pictures(text: str) -> dict[str, np.ndarray]:
    """View to pixels (H, W, 3), of a page with one panel."""
    found = re.findall(r'class="view-(\w+)"[^>]*src="data:image/png;base64,([^"]*)"', text)
    return {
        view: np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        for view, data in found
    }


def test_strength_by_hand():
    evidence = np.zeros((10, 100))
    evidence[0, :20] = np.linspace(1, 2, 20)  # 2 % of the pixels; half a percent is clipped
    shown = map_panels.strength(evidence)
    assert shown.min() == 0
    assert shown.max() == 1
    assert (shown == 1).sum() == 5
    assert not map_panels.strength(np.full((4, 4), 3.0)).any()
    # One pixel among very many: the quantile is 0, and the map is shown all the same.
    lone = np.zeros((50, 50))
    lone[3, 3] = 2
    assert map_panels.strength(lone)[3, 3] == 1


def test_where_there_is_no_evidence_the_radiograph_shows():
    image = np.arange(48, dtype=np.uint8).reshape(6, 8)
    blended = map_panels.blend(image, np.zeros((6, 8)))
    np.testing.assert_array_equal(blended, np.repeat(image[..., None], 3, axis=2))
    strongest = map_panels.blend(image, np.ones((6, 8)))
    expected = 0.2 * image[..., None] + 0.8 * map_panels.colors(np.ones((6, 8)))
    np.testing.assert_allclose(strongest, expected, atol=0.51)


def test_the_edges_of_a_mask_by_hand():
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = mask[1, 2] = True
    level = {"M1 1h1", "M2 1h1", "M1 2h1", "M2 2h1"}
    upright = {"M1 1v1", "M3 1v1"}
    edges = re.findall(r"M\d \d[hv]1", map_panels.outline(mask))
    assert set(edges) == level | upright
    assert len(edges) == 6


def test_three_views_of_one_image_lie_on_each_other():
    text = map_panels.switcher([[panel()]], name="f", caption="A & B", source="PHANTOM").data
    views = pictures(text)
    assert set(views) == {"radiograph", "map", "overlay"}
    assert {pixels.shape for pixels in views.values()} == {(6, 8, 3)}
    assert (views["radiograph"] == 100).all()
    np.testing.assert_allclose(views["map"][2, 3], map_panels.colors(np.ones((1, 1)))[0, 0], atol=6)
    np.testing.assert_allclose(
        views["map"][0, 0], map_panels.colors(np.zeros((1, 1)))[0, 0], atol=6
    )
    np.testing.assert_allclose(views["overlay"][0, 0], 100, atol=6)
    assert text.count("aspect-ratio:8/6") == 1


def test_the_switch_is_three_labeled_radio_buttons_and_no_script():
    text = map_panels.switcher(
        [[panel(), panel()]], name="figure-4", caption="A & B", source="PHANTOM · x", view="map"
    ).data
    assert len(re.findall(r'<input type="radio" name="figure-4-view"', text)) == 3
    assert re.findall(r'id="figure-4-(\w+)" class="show-\w+" checked', text) == ["map"]
    assert re.findall(r'<label for="figure-4-(\w+)">', text) == ["radiograph", "map", "overlay"]
    assert "A &amp; B" in text
    assert "PHANTOM · x" in text
    assert "predicted 0.41" in text
    assert "Mass<br>&lt;CAM&gt;" in text
    assert "<script" not in text
    assert not re.search(r"https?:|url\(|@import", text)
    alternatives = re.findall(r'alt="([^"]*)"', text)
    assert alternatives[:3] == [f"Mass &lt;CAM&gt;, {v}" for v in ("radiograph", "map", "overlay")]


def test_boxes_and_masks_are_drawn_over_every_view():
    mask = np.zeros((6, 8), bool)
    mask[1:3, 1:3] = True
    text = map_panels.switcher(
        [[panel(boxes=np.array([[1.5, 2, 3, 2]]), mask=mask)]], name="f", caption="", source=""
    ).data
    assert '<svg viewBox="0 0 8 6" aria-hidden="true">' in text
    assert '<rect x="1.5" y="2" width="3" height="2"/>' in text
    assert f'<path d="{map_panels.outline(mask)}"/>' in text


def test_a_radiograph_without_map_shows_under_every_view():
    text = map_panels.switcher([[panel(evidence=None)]], name="f", caption="", source="").data
    assert set(pictures(text)) == {"radiograph"}
    assert 'class="stack alone"' in text
    with pytest.raises(ValueError, match="unknown view 'both'; allowed: radiograph, map, overlay"):
        map_panels.switcher([[panel()]], name="f", caption="", source="", view="both")
