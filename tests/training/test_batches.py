import keras
import numpy as np
import pytest

from chestkd.training.batches import EpochBatches, predict_logits

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 4, 4), np.uint8)
ROWS = np.arange(3, 17)
LABELS = (np.arange(14)[:, None] == np.arange(14)).astype(np.uint8)  # row i carries finding i
TEACHER = np.random.default_rng(1).normal(size=(14, 2, 14)).astype(np.float32)


def epoch(number: int = 1, *, teacher=None, **changes) -> EpochBatches:
    options = {"batch_size": 4, "flip": True, "seed": 7, **changes}
    return EpochBatches(IMAGES, ROWS, LABELS, teacher, epoch=number, **options)


def test_every_target_goes_with_its_image():
    flips = []
    for images, targets in (epoch(teacher=TEACHER)[index] for index in range(3)):
        assert images.shape == (4, 4, 4, 1)
        assert images.dtype == np.uint8
        assert targets.shape == (4, 28)
        for image, target in zip(images[..., 0], targets, strict=True):
            row = int(target[:14].argmax())
            flipped = not (image == IMAGES[ROWS[row]]).all()
            shown = IMAGES[ROWS[row]][:, ::-1] if flipped else IMAGES[ROWS[row]]
            np.testing.assert_array_equal(image, shown)
            np.testing.assert_array_equal(target[14:], TEACHER[row, int(flipped)])
            flips.append(flipped)
    assert 0 < sum(flips) < len(flips)


def test_an_epoch_shows_each_image_at_most_once_and_drops_less_than_a_batch():
    batches = epoch(teacher=None)
    seen = np.concatenate([batches[index][1].argmax(axis=1) for index in range(len(batches))])
    assert len(batches) == 3
    assert len(set(seen)) == len(seen) == 12


def test_a_shorter_epoch_shows_others_each_time():
    first, second = (epoch(number, steps=2) for number in (1, 2))
    assert len(first) == 2
    shown = [
        {int(row) for index in range(2) for row in batches[index][1].argmax(axis=1)}
        for batches in (first, second)
    ]
    assert len(shown[0]) == len(shown[1]) == 8
    assert shown[0] != shown[1]
    np.testing.assert_array_equal(first[0][0], epoch(1)[0][0])


def test_seed_and_epoch_decide_the_batches():
    same, again, later, other = epoch(), epoch(), epoch(2), epoch(seed=8)
    np.testing.assert_array_equal(same[1][0], again[1][0])
    for different in (later, other):
        assert not np.array_equal(same.order, different.order)
    taught = epoch(teacher=TEACHER)
    np.testing.assert_array_equal(taught[0][0], same[0][0])


def test_without_flips_images_are_as_stored():
    images, targets = epoch(flip=False)[0]
    np.testing.assert_array_equal(images[..., 0], IMAGES[ROWS[targets.argmax(axis=1)]])


def test_the_memory_map_is_never_written():
    before = IMAGES.copy()
    list(map(epoch().__getitem__, range(3)))
    np.testing.assert_array_equal(IMAGES, before)


def test_fewer_images_than_a_batch_are_one_batch():
    batches = epoch(batch_size=100)
    assert len(batches) == 1
    assert len(batches[0][0]) == 14


@pytest.mark.parametrize("batch_size", [1, 5, 14, 100])
def test_logits_do_not_depend_on_the_batch(batch_size):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(14)(keras.layers.Flatten()(inputs)))
    kernel, bias = (np.asarray(weight) for weight in model.weights)
    for mirrored in (False, True):
        images = IMAGES[ROWS][:, :, ::-1] if mirrored else IMAGES[ROWS]
        expected = images.reshape(14, 16).astype(np.float32) @ kernel + bias
        received = predict_logits(model, IMAGES, ROWS, mirrored=mirrored, batch_size=batch_size)
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-3)
