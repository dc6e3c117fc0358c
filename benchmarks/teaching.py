"""What does a teacher cost: an epoch of base training, with stored outputs, and online?

    python benchmarks/teaching.py --size 64 --images 320 --rounds 40

Trains the student on random images in three ways, in many short epochs that alternate so that
whatever else the machine does meets all three: from the labels alone; with the teacher's outputs
gathered from the store, as this library does; and with the teacher computing them in every step,
as the paper's Table 2 suggests. Prints the median seconds of an epoch, images a second, and the
ratio to the base epoch of the same round: its median with a 95 % interval from a bootstrap over
rounds, in wall time and in CPU time, which other programs disturb less. The first two rounds build
the graphs and are not counted. The pass that fills the store, once for all students of a teacher,
is timed on its own.

With the defaults it takes about three minutes on two cores, which should have nothing else to do.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tqdm
from keras import ops

from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS
from chestkd.networks import backend, build
from chestkd.training import loop, optimizer
from chestkd.training.batches import EpochBatches
from chestkd.training.specification import Recipe, Teaching
from chestkd.training.teacher_logits import both_views

BASE, STORED, ONLINE = "base", "stored teacher", "online teacher"
_WARM_UP = 2


def online(student: keras.Model, teacher: keras.Model) -> keras.Model:
    """One model whose output (N, 28) is the student's logits and the frozen teacher's."""
    teacher.trainable = False
    image = keras.Input(student.input_shape[1:])
    logits = [student(image), teacher(image, training=False)]
    return keras.Model(image, keras.layers.Concatenate()(logits))


def online_loss(teaching: Teaching) -> Callable:
    """The taught student's loss, the teacher's logits taken from the model's own output."""
    taught = loop.objective(teaching)

    def loss(labels: object, logits: object) -> object:
        student, teacher = logits[:, : len(FINDINGS)], logits[:, len(FINDINGS) :]
        return taught(ops.concatenate([labels, teacher], axis=1), student)

    return loss


def compiled(model: keras.Model, loss: Callable, recipe: Recipe, steps: int) -> keras.Model:
    """The model, ready to be fitted as a run is."""
    model.compile(optimizer=optimizer.optimizer(recipe, steps), loss=loss)
    return model


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", default="mobilenet-v1", help="default mobilenet-v1")
    parser.add_argument("--teacher", default="densenet-121", help="default densenet-121")
    parser.add_argument("--size", type=int, default=64, help="pixels (default 64)")
    parser.add_argument("--images", type=int, default=320, help="of an epoch (default 320)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=40, help="epochs of each way (default 40)")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    arguments = parser.parse_args()
    if arguments.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")

    size, count = arguments.size, arguments.images
    rounds = arguments.rounds + _WARM_UP
    recipe = Recipe(epochs=rounds, batch_size=arguments.batch_size)
    steps = max(1, count // recipe.batch_size)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, size, size), np.uint8)
    labels = (generator.random((count, len(FINDINGS))) < 0.06).astype(np.uint8)
    teaching = Teaching("benchmark", arguments.teacher)
    teacher = build.build_network(arguments.teacher, size, seed=1)
    rows = np.arange(count)
    both_views(teacher, images, rows[: recipe.batch_size])  # builds the graph
    start = time.perf_counter()
    stored = both_views(teacher, images, rows)
    storing = time.perf_counter() - start

    def student() -> keras.Model:
        return build.build_network(arguments.student, size, seed=0)

    models = {
        BASE: compiled(student(), loop.objective(None), recipe, steps),
        STORED: compiled(student(), loop.objective(teaching), recipe, steps),
        ONLINE: compiled(online(student(), teacher), online_loss(teaching), recipe, steps),
    }
    wall: dict[str, list[float]] = {way: [] for way in models}
    busy: dict[str, list[float]] = {way: [] for way in models}
    for epoch in tqdm.trange(rounds, desc="rounds"):
        # Who comes first changes from round to round.
        order = [list(models)[(epoch + shift) % len(models)] for shift in range(len(models))]
        for way in order:
            batches = EpochBatches(
                images, rows, labels, stored if way == STORED else None,
                batch_size=recipe.batch_size, flip=True, seed=0, epoch=epoch,
            )  # fmt: skip
            start, worked = time.perf_counter(), time.process_time()
            models[way].fit(batches, epochs=1, shuffle=False, verbose=0)
            wall[way].append(time.perf_counter() - start)
            busy[way].append(time.process_time() - worked)
    report(wall, busy, steps * batches.batch_size)
    print(f"storing the teacher's outputs, once, image and mirror: {storing:.1f} s")
    print(
        f"{arguments.teacher} -> {arguments.student}, {count} images of {size} px, batch "
        f"{recipe.batch_size}, {arguments.precision}, {', '.join(backend.devices())}, "
        f"{backend.name()}"
    )


def report(wall: dict[str, list[float]], busy: dict[str, list[float]], images: int) -> None:
    """Print one line for each way: medians, and ratios to base training round by round."""
    print(f"{'':16}{'s/epoch':>9}{'images/s':>10}   {'ratio of wall time':24}ratio of CPU time")
    for way, times in wall.items():
        median = statistics.median(times[_WARM_UP:])
        ratios = [ratio(each[way], each[BASE]) for each in (wall, busy)]
        print(f"{way:16}{median:9.2f}{images / median:10.0f}   {ratios[0]:24}{ratios[1]}")


def ratio(times: list[float], base: list[float]) -> str:
    """Median over rounds of time over base time, with a 95 % interval over resampled rounds."""
    ratios = np.array(times[_WARM_UP:]) / np.array(base[_WARM_UP:])
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    return f"{Estimate.of(np.median(ratios), np.median(drawn, axis=1)):.3f}"


if __name__ == "__main__":
    main()
