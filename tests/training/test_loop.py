import dataclasses
import json

import numpy as np
import pytest
from layout import write

from chestkd.data import nih
from chestkd.data.prepare import prepare
from chestkd.data.splits import SplitError, split
from chestkd.distillation import losses
from chestkd.evaluation.auc import mean_auc
from chestkd.training import loop
from chestkd.training.batches import EpochBatches, predict_logits
from chestkd.training.run_network import initial_network, start_from, trained_network
from chestkd.training.specification import Recipe, RunSpecification, Start, Teaching
from chestkd.training.store import DEFECTIVE, Store
from chestkd.training.teacher_logits import both_views, teacher_logits

RECIPE = Recipe(epochs=4, batch_size=8, rate=0.2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    dataset = nih.read(write(folder / "nih", patients=40, seed=3))
    prepared = prepare(dataset, 32, folder / "prepared", progress=False)
    return prepared, split(prepared.dataset, "official")


def specification(data, strategy="base", **changes) -> RunSpecification:
    prepared, parts = data
    options = {"recipe": RECIPE, "seed": 0, **changes}
    return RunSpecification(
        strategy, "resnet-32", prepared.fingerprint, prepared.size, parts.name, **options
    )


def train(data, store, **changes):
    return loop.train(specification(data, **changes), *data, store, progress=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def base(data, store):
    return train(data, store)


def test_the_record_says_what_ran_and_how(base, data):
    record = base.record
    assert record["status"] == "complete"
    assert base.specification == specification(data)
    assert record["parameters"] == 467_038
    assert record["data"]["images"]["test"] == len(data[1].test)
    assert record["packages"]["keras"]
    assert record["devices"]
    json.dumps(record, allow_nan=False)


def test_the_epoch_with_the_best_validation_auc_is_kept(base):
    history = base.history()
    assert len(history) == RECIPE.epochs
    assert base.record["selected_epoch"] == history["validation_auc"].argmax() + 1
    assert base.record["validation_auc"] == pytest.approx(history["validation_auc"].max())


def test_test_images_are_scored_once_after_the_last_epoch(data, tmp_path, monkeypatch):
    """Nothing is chosen by them: no training or validation before has seen one."""
    seen, (_, parts) = [], data

    def log_scored(model, images, rows, **options):
        seen.append(rows)
        return predict_logits(model, images, rows, **options)

    def log_trained(images, rows, *arrays, **options):
        seen.append(rows)
        return EpochBatches(images, rows, *arrays, **options)

    monkeypatch.setattr(loop, "predict_logits", log_scored)
    monkeypatch.setattr(loop, "EpochBatches", log_trained)
    train(data, Store(tmp_path), recipe=Recipe(epochs=2, batch_size=8))
    *before, last = seen
    assert len(before) == 4
    assert not np.intersect1d(np.concatenate(before), parts.test).size
    np.testing.assert_array_equal(last, parts.test)


def test_the_stored_weights_give_the_recorded_numbers(base, data):
    prepared, parts = data
    model = trained_network(base)
    validation = predict_logits(model, prepared.images, parts.validation)
    labels = prepared.dataset.labels
    assert mean_auc(labels[parts.validation], validation) == base.record["validation_auc"]
    scores = base.scores()
    np.testing.assert_allclose(
        predict_logits(model, prepared.images, parts.test), scores["logits"], atol=1e-4
    )
    np.testing.assert_array_equal(scores["labels"], labels[parts.test])
    table = prepared.dataset.table.loc[parts.test]
    assert scores["images"].tolist() == table["image"].tolist()
    assert scores["patients"].tolist() == table["patient"].tolist()


def test_training_lowers_the_loss(base):
    history = base.history()
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_a_finished_run_is_only_read(base, data, store, monkeypatch):
    monkeypatch.setattr(loop, "_Training", None)
    assert train(data, store).record == base.record


def test_an_interrupted_run_ends_with_the_same_history(base, data, tmp_path, monkeypatch):
    store = Store(tmp_path)
    whole = loop.checkpoints.save

    def save_then_kill(model, history, folder):
        whole(model, history, folder)
        if len(history) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop.checkpoints, "save", save_then_kill)
        with pytest.raises(KeyboardInterrupt):
            train(data, store)
    assert store.runs() == []
    resumed = train(data, store)
    timed = ["seconds", "images_per_second"]
    undisturbed = base.history().drop(columns=timed)
    np.testing.assert_allclose(resumed.history().drop(columns=timed), undisturbed, rtol=1e-5)
    np.testing.assert_allclose(resumed.scores()["logits"], base.scores()["logits"], atol=1e-4)
    assert not (resumed.folder / "checkpoint.npz").exists()


def test_a_diverged_run_says_so(data, store):
    run = train(data, store, recipe=Recipe(epochs=3, batch_size=8, rate=1e12, warmup_epochs=0))
    assert run.diverged
    assert run.record["selected_epoch"] is None
    assert len(run.history()) < 3 or not np.isfinite(run.history()["loss"].iloc[-1])
    with pytest.raises(FileNotFoundError, match="diverged"):
        run.weights()


def test_a_run_for_other_data_is_refused(data, store):
    prepared, parts = data
    other = RunSpecification("base", "resnet-32", "x", 32, "official", RECIPE)
    with pytest.raises(ValueError, match="asks for data 'x'"):
        loop.train(other, prepared, parts, store)
    with pytest.raises(ValueError, match="asks for split 'random'"):
        loop.train(
            RunSpecification("base", "resnet-32", prepared.fingerprint, 32, "random", RECIPE),
            prepared, parts, store,
        )  # fmt: skip


def taught(data, base, **changes) -> RunSpecification:
    teaching = Teaching(base.id, "resnet-32", **changes)
    return specification(data, "standard", teaching=teaching, seed=1)


def test_a_teacher_speaks_once_and_for_the_mirror_too(base, data, store, monkeypatch):
    prepared, parts = data
    logits = teacher_logits(base, False, prepared, parts)
    assert logits.shape == (len(parts.train), 2, 14)
    online = both_views(trained_network(base), prepared.images, parts.train)
    np.testing.assert_array_equal(logits, online)
    mirrored = prepared.images[parts.train][:, :, ::-1]
    rows = np.arange(len(mirrored))
    np.testing.assert_allclose(
        predict_logits(trained_network(base), mirrored, rows), logits[:, 1], atol=1e-4
    )
    monkeypatch.setattr("chestkd.training.teacher_logits.trained_network", None)
    np.testing.assert_array_equal(teacher_logits(base, False, prepared, parts), logits)


def test_stored_and_online_teaching_give_the_same_losses_step_by_step(base, data):
    prepared, parts = data
    teaching = taught(data, base).teaching
    student, teacher = initial_network(taught(data, base)), trained_network(base)
    stored = teacher_logits(base, False, prepared, parts)
    labels = prepared.dataset.labels[parts.train]
    objective = loop.objective(teaching)
    for epoch in (1, 2):
        batches = EpochBatches(
            prepared.images, parts.train, labels, stored,
            batch_size=8, flip=True, seed=1, epoch=epoch,
        )  # fmt: skip
        for index in range(len(batches)):
            images, targets = batches[index]
            logits = np.asarray(student.predict_on_batch(images))
            online = np.asarray(teacher.predict_on_batch(images))
            expected = losses.sigmoid(
                targets[:, :14], logits, online, alpha=teaching.alpha, temperature=4.0
            )
            np.testing.assert_allclose(objective(targets, logits), expected, rtol=1e-4)


def test_a_teacher_is_unchanged_by_teaching(base, data, store):
    before = {path.name: path.read_bytes() for path in base.folder.glob("*.h5")}
    run = loop.train(taught(data, base), *data, store, progress=False)
    assert run.record["status"] == "complete"
    assert not (run.folder / DEFECTIVE).exists()
    assert {path.name: path.read_bytes() for path in base.folder.glob("*.h5")} == before


def test_the_defective_teacher_is_an_earlier_epoch(base, data, store):
    selected = teacher_logits(base, False, *data)
    defective = teacher_logits(base, True, *data)
    assert np.abs(selected - defective).max() > 1e-3
    assert base.weights(defective=True).name == DEFECTIVE


def test_a_teacher_of_another_split_is_refused(base, data):
    prepared, _ = data
    with pytest.raises(SplitError):
        teacher_logits(base, False, prepared, split(prepared.dataset, "random"))


# Starting from another run.


def logits(model, data):
    prepared, parts = data
    return predict_logits(model, prepared.images, parts.test)


def test_a_run_starts_from_the_weights_of_another(data, store, base):
    later = specification(data, seed=7, start=Start(base.id))
    model = initial_network(later)
    drawn = logits(model, data)
    start_from(model, later, store)
    np.testing.assert_array_equal(logits(model, data), logits(trained_network(base), data))
    assert not np.allclose(drawn, logits(model, data))


def test_its_dense_layer_may_be_drawn_anew(data, store, base):
    later = specification(data, seed=7, start=Start(base.id, dense=False))
    model, drawn = initial_network(later), initial_network(later)
    start_from(model, later, store)
    dense, convolution = (
        [one.get_weights()[0] for one in models]
        for models in (
            [each.get_layer("logits") for each in (model, drawn, trained_network(base))],
            [each.layers[2] for each in (model, drawn, trained_network(base))],
        )
    )
    np.testing.assert_array_equal(dense[0], dense[1])
    assert not np.allclose(dense[0], dense[2])
    np.testing.assert_array_equal(convolution[0], convolution[2])
    assert not np.allclose(convolution[0], convolution[1])


def test_training_goes_on_from_there(data, store, base):
    short = dataclasses.replace(RECIPE, epochs=1, rate=1e-6)
    later = train(data, store, seed=7, recipe=short, start=Start(base.id))
    fresh = train(data, store, seed=7, recipe=short)
    assert later.record["validation_auc"] > 0.5 + 0.5 * (base.record["validation_auc"] - 0.5)
    assert later.id != fresh.id
    assert later.specification.start == Start(base.id)
    distance = np.abs(later.scores()["logits"] - base.scores()["logits"]).mean()
    assert distance < 0.5 * np.abs(fresh.scores()["logits"] - base.scores()["logits"]).mean()


def test_a_start_of_another_network_or_from_nowhere_is_refused(data, store, base):
    other = dataclasses.replace(specification(data, start=Start(base.id)), network="mobilenet-v1")
    with pytest.raises(ValueError, match="a run of mobilenet-v1 cannot start from base-resnet-32"):
        start_from(initial_network(other), other, store)
    with pytest.raises(KeyError, match="no run base-nothing"):
        train(data, store, start=Start("base-nothing"))
