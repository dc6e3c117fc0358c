"""C11 on its way from the page that measures it to the page that judges it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fabricated import Fabricated

from chestkd.evaluation import localization
from chestkd.findings import BOXED_FINDINGS
from chestkd.pages import claim_11, claims
from chestkd.paper import verdicts
from chestkd.paper.claims import claim
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import load
from chestkd.study.table_cells import cells

OURS, CAM = "smoothgrad-integrated-gradients", "cam"
DETAILS = {
    "network": "MobileNet-v1",
    "regions": 4,
    "patients": 3,
    "samples": 2,
    "integration": "Integrated gradients add up.",
}


def scored(hits: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Scores of maps whose pointing is given, by finding."""
    rows = [
        {"row": at, "patient": at, "finding": finding}
        | dict.fromkeys(localization.MEASURES, 0.25)
        | {"pointing": hit}
        for finding, of in hits.items()
        for at, hit in enumerate(of)
    ]
    return pd.DataFrame(rows)


def test_effects_by_hand():
    mass, nodule, hernia = [1, 1, 0, 1] * 2, [1, 0, 0, 0] * 2, [1] * 8
    ours = scored({"Mass": mass, "Nodule": nodule, "Effusion": [1], "Hernia": hernia})
    cam = scored({"Mass": [1, 0, 0, 0] * 2, "Nodule": [0] * 8, "Effusion": [0], "Hernia": [0] * 8})
    found = claim_11.map_effects({OURS: ours, CAM: cam, "gradient": cam}, resamples=400)
    assert list(found) == verdicts.EFFECT_COLUMNS
    # Hernia has no box in NIH's list, so the claim does not speak of it; Effusion has one patient.
    effects = found.set_index("comparison")["effect"]
    assert effects[f"{OURS} of Mass over {CAM} of Mass"] == 0.5
    assert effects[f"{OURS} of Nodule over {CAM} of Nodule"] == 0.25
    assert effects[verdicts.MEAN] == 0.375
    assert len(found) == 3
    rows = found.set_index("comparison")
    assert (rows["low"] <= rows["effect"]).all()
    assert (rows["effect"] <= rows["high"]).all()
    (outcome,) = verdicts.judge(claim("C11"), found, partial=True)
    assert (outcome.compared, len(outcome.missing)) == (2, 6)
    # The same patients under both methods, drawn from the same seed.
    again = claim_11.map_effects({CAM: cam, OURS: ours}, resamples=400)
    pd.testing.assert_frame_equal(found, again)


def test_intervals_are_of_the_difference_and_over_patients():
    # On every region ours is one better, whatever the region: no spread is left.
    hits = np.random.default_rng(0).integers(0, 2, 30).astype(float)
    ours, cam = (scored({key: list(hits + add) for key in BOXED_FINDINGS}) for add in (1, 0))
    found = claim_11.map_effects({OURS: ours, CAM: cam}, resamples=200)
    np.testing.assert_allclose(found[["effect", "low", "high"]], 1)
    assert verdicts.judge(claim("C11"), found)[0].verdict == "supported"


def test_no_effects_where_there_is_nothing_to_compare():
    cam = scored({"Mass": [1, 0]})
    assert not len(claim_11.map_effects({CAM: cam, "gradient": cam}))
    assert not len(claim_11.map_effects({}))
    hernia = scored({"Hernia": [1, 0]})
    assert not len(claim_11.map_effects({CAM: hernia, OURS: hernia}))
    # Four patients: too few for any interval.
    few = scored(dict.fromkeys(BOXED_FINDINGS, (1.0,) * 4))
    assert not len(claim_11.map_effects({CAM: few, OURS: few}, resamples=50))


@pytest.fixture
def effects() -> pd.DataFrame:
    ours, cam = scored({"Mass": [1, 1, 0, 1] * 2}), scored({"Mass": [1, 0, 0, 0] * 2})
    return claim_11.map_effects({OURS: ours, CAM: cam}, resamples=50)


def test_what_is_stored_is_read_for_the_same_runs_only(tmp_path: Path, effects):
    claim_11.store(tmp_path, effects, "base-resnet-32-seed0-1", DETAILS)
    found = claim_11.read(tmp_path, {"base-resnet-32-seed0-1", "another"})
    pd.testing.assert_frame_equal(found, effects)
    assert claim_11.origin(tmp_path) == (
        "C11 rests on maps of MobileNet-v1 (run base-resnet-32-seed0-1) on 4 marked regions of 3 "
        "patients, 2 noisy copies each. Integrated gradients add up."
    )
    record = json.loads((tmp_path / "localization-effects.json").read_text())
    assert record["claim"] == "C11"
    assert {"commit", "dirty"} <= set(record["code"])
    assert "keras" in record["packages"]
    with pytest.raises(ValueError, match=r"is of run base-resnet-32-seed0-1, which is not this"):
        claim_11.read(tmp_path, {"base-resnet-32-seed0-2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "localization-effects.csv",
        "localization-effects.json",
    ]
    first = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    claim_11.store(tmp_path, effects, "base-resnet-32-seed0-1", DETAILS)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == first


def test_a_table_without_its_record_is_refused(tmp_path: Path, effects):
    claim_11.store(tmp_path, effects, "a", DETAILS)
    table = tmp_path / claim_11.LOCALIZATION_EFFECTS
    table.write_text(table.read_text().replace("0.5", "0.9"))
    with pytest.raises(ValueError, match=r"is not the table that localization-effects\.json"):
        claim_11.read(tmp_path, {"a"})
    claim_11.store(tmp_path, effects, "a", DETAILS)
    table.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match="is not the table"):
        claim_11.read(tmp_path, {"a"})


def test_effects_of_another_claim_are_refused(tmp_path: Path):
    assert not len(claim_11.read(tmp_path, {"a"}))
    label = claim("C11").parts[0].comparisons[0].label
    row = pd.DataFrame([("C11", "all", label, 0.1, 0.05, 0.2)], columns=verdicts.EFFECT_COLUMNS)
    claim_11.store(tmp_path, row, "a", DETAILS)
    pd.testing.assert_frame_equal(claim_11.read(tmp_path, {"a"}), row)
    claim_11.store(tmp_path, row.assign(claim="C1"), "a", DETAILS)
    with pytest.raises(ValueError, match=r"claim C11 only, received .* \['C1'\]"):
        claim_11.read(tmp_path, {"a"})


def test_nothing_stored_is_no_effects(tmp_path: Path, effects):
    assert not len(claim_11.read(tmp_path, {"a"}))
    assert claim_11.origin(tmp_path) == ""
    claim_11.store(tmp_path, effects, "a", DETAILS)
    # A page that found nothing to compare takes away what an earlier one has stored.
    claim_11.store(tmp_path, effects.iloc[:0], "a", DETAILS)
    assert not list(tmp_path.iterdir())


def test_the_ledger_judges_what_is_stored(tmp_path: Path):
    study = Fabricated(dataclasses.replace(load("quick"), resamples=50), tmp_path)
    run = study.add(PlannedRun("base", "resnet-32", seed=0)).id
    ours = scored(dict.fromkeys(BOXED_FINDINGS, (1.0,) * 9))
    cam = scored(dict.fromkeys(BOXED_FINDINGS, (0.0,) * 9))
    found = claim_11.map_effects({OURS: ours, CAM: cam}, resamples=50)
    planned = cells(study)
    ledger = claims.ledger(claims.study_effects(study, planned)).set_index("claim")
    assert ledger.loc["C11", "verdict"] == "not run"
    claim_11.store(study.folder, found, run, DETAILS)
    ledger = claims.ledger(claims.study_effects(study, planned)).set_index("claim")
    assert ledger.loc["C11", "verdict"] == "supported"
    assert ledger.loc["C11", "measured"] == "+100.00 (+100.00 to +100.00)"
    assert ledger.loc["C11", "compared"] == "8 of 8"
    claim_11.store(study.folder, found, "another run", DETAILS)
    with pytest.raises(ValueError, match="is of run another run"):
        claims.study_effects(study, planned)
