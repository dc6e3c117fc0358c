import base64
import io
import re
from urllib.parse import unquote

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from chestkd.evaluation.auc import MEAN
from chestkd.findings import FINDINGS
from chestkd.pages import html, table_3
from chestkd.pages.run_figures import auc_intervals


def test_a_table_shows_its_numbers_source_and_csv():
    frame = pd.DataFrame({"finding": ["<b>", "x"], "auc": [0.12345, float("nan")]})
    text = html.table(
        frame, name="t", caption="A & B", source="PHANTOM · 1 run", formats={"auc": ".3f"}
    ).data
    assert "<caption>A &amp; B</caption>" in text
    assert "<td>&lt;b&gt;</td>" in text
    assert '<td class="number">0.123</td>' in text
    assert '<td class="number"></td>' in text
    assert "PHANTOM · 1 run" in text
    content = re.search(r'href="data:text/csv;charset=utf-8,([^"]*)"', text)[1]
    assert unquote(content) == frame.to_csv(index=False)


def test_a_wide_table_scrolls_in_a_frame_with_a_name():
    frame = pd.DataFrame({"finding": ["Mass"], "": ["paper"], "auc": [0.5]})
    text = html.table(frame, name="t", caption='"A" & B', source="PHANTOM").data
    assert (
        '<div class="chestkd-scroll" role="region" tabindex="0" '
        'aria-label="&quot;A&quot; &amp; B"><table>' in text
    )
    # A column without a name has no heading: an empty one would be read out as one.
    assert (
        '<tr><th scope="col">finding</th><td></td><th scope="col" class="number">auc</th></tr>'
        in text
    )


def test_a_figure_carries_its_words_and_is_closed():
    drawn, axes = plt.subplots()
    axes.plot([0, 1])
    text = html.figure(drawn, name="f", caption="A < B", source="PHANTOM", alt='a "line"').data
    assert 'alt="a &quot;line&quot;"' in text
    assert "A &lt; B" in text
    assert "PHANTOM" in text
    content = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]*)"', text)[1])
    width, height = Image.open(io.BytesIO(content)).size
    assert f'width="{width}" height="{height}"' in text
    assert not plt.fignum_exists(drawn.number)


def measured_table() -> pd.DataFrame:
    rows = [(name, 0.8, 0.7, 0.9, 5, 5, "") for name in FINDINGS]
    rows[12] = ("Pleural_Thickening", 0.8, 0.7, 0.9, 5, 5, "† 4 patients")
    rows[13] = ("Hernia", float("nan"), float("nan"), float("nan"), 0, 10, "n/a (0 positives)")
    rows.append((MEAN, 0.8, 0.75, 0.85, 65, 75, "of 13 findings"))
    return pd.DataFrame(
        rows, columns=["finding", "auc", "low", "high", "positives", "negatives", "note"]
    )


def test_table_3_has_the_papers_columns_and_the_measured_ones():
    table = table_3.table3({"ours": measured_table()}).set_index("finding")
    assert table.index.tolist() == [*FINDINGS, MEAN]
    assert table.shape == (15, 8)
    assert table.loc["Pleural_Thickening", "note"] == "† 4 patients"
    assert "note" not in table_3.table3({})
    assert table.loc["Hernia", "Proposed"] == 0.876
    assert table.loc["Hernia", "ours"] == "n/a (0 positives)"
    assert table.loc["Edema", "ours"] == "0.800 (0.700 to 0.900)"
    # The paper prints .798 for Yao et al.; its column adds up to more.
    assert round(table.loc[MEAN, "Yao et al. [61]"], 3) == 0.803


def test_intervals_of_every_finding_and_their_mean():
    drawn = auc_intervals({"one": measured_table()})
    labels = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert len(labels) == 15
    assert [label for label in labels if "†" in label] == ["Pleural thickening †"]
    # The mark explains itself, once, in the figure's caption.
    text = html.figure(drawn, name="f", caption="AUCs.", source="PHANTOM", alt="").data
    assert text.count("Fewer than 10 patients") == 1


def test_a_table_explains_the_mark_of_few_patients_only_where_it_is():
    frame = measured_table()
    options = {"name": "t", "caption": "", "source": ""}
    assert html.table(frame, **options).data.count("Fewer than 10 patients") == 1
    assert "Fewer than" not in html.table(frame.drop(index=12), **options).data


def test_radiographs_are_compressed_and_charts_are_exact():
    noise = np.random.default_rng(0).random((700, 700))
    drawn, axes = plt.subplots()
    axes.imshow(noise, cmap="gray")
    text = html.figure(drawn, name="f", caption="", source="", alt="noise").data
    content = base64.b64decode(re.search(r'src="data:image/webp;base64,([^"]*)"', text)[1])
    image = Image.open(io.BytesIO(content))
    assert image.format == "WEBP"
    assert min(image.size) > 300


def test_the_box_of_a_page_says_its_sentences_and_nothing_raw():
    text = html.what_we_see("AUC rose by 3 points.", "", "A <b> stays text.").data
    assert "<p>AUC rose by 3 points. A &lt;b&gt; stays text.</p>" in text
