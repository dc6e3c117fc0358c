"""What does a teacher cost: an epoch of base training, with stored outputs, and online?

    python benchmarks/teaching.py --size 64 --images 320 --rounds 40
    python benchmarks/teaching.py --students resnet-32 vgg-19 --teacher self --record

Trains the student on random images in three ways, in many short epochs that alternate so that
whatever else the machine does meets all three: from the labels alone; with the teacher's outputs
gathered from the store, as this library does; and with the teacher computing them in every step,
as the paper's Table 2 suggests. Prints the median seconds of an epoch, images a second, and the
ratio to the base epoch of the same round: its median with a 95 % interval from a bootstrap over
rounds, in wall time and in CPU time, which other programs disturb less. The first two rounds build
the graphs and are not counted. The pass that fills the store, once for all students of a teacher,
is timed on its own.

With the defaults it takes about three minutes on two cores, which should have nothing else to do.
`--record` leaves out the online teacher and writes every round to
`benchmarks/results/teaching.csv`, which the book reads for claim C10.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tqdm
from keras import ops

from chestkd import workspace
from chestkd.evaluation.intervals import Estimate
from chestkd.findings import FINDINGS
from chestkd.networks import build
from chestkd.study import cost
from chestkd.training import loop, optimizer
from chestkd.training.batches import EpochBatches
from chestkd.training.specification import Recipe, Teaching
from chestkd.training.teacher_logits import both_views

BASE, STORED, ONLINE = "base", "stored teacher", "online teacher"
RESULTS = Path(__file__).parent / "results" / "teaching.csv"
COLUMNS = [
    "network", "teacher", "size", "batch", "images", "round", "base", "taught", "storing",
    "hardware", "date", "commit",
]  # fmt: skip
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
    """Print a table for each student."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", nargs="+", default=["mobilenet-v1"], metavar="NETWORK")
    parser.add_argument("--teacher", default="densenet-121", help="a network, or `self`")
    parser.add_argument("--size", type=int, default=64, help="pixels (default 64)")
    parser.add_argument("--images", type=int, default=320, help="of an epoch (default 320)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=40, help="epochs of each way (default 40)")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--record", action="store_true", help="store the rounds for the book")
    arguments = parser.parse_args()
    if arguments.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    for network in arguments.students:
        teacher = network if arguments.teacher == "self" else arguments.teacher
        rounds, storing = time_pair(network, teacher, arguments)
        report(rounds, arguments.images // arguments.batch_size * arguments.batch_size)
        print(f"storing the teacher's outputs, once, image and mirror: {storing:.1f} s")
        print(
            f"{teacher} -> {network}, {arguments.images} images of {arguments.size} px, batch "
            f"{arguments.batch_size}, {cost.hardware_here(arguments.precision)}"
        )
        if arguments.record:
            record(rounds, storing, network, teacher, arguments)


def time_pair(
    network: str, teacher_network: str, arguments: argparse.Namespace
) -> tuple[pd.DataFrame, float]:
    """Seconds of each epoch, and those in which the teacher's outputs are stored.

    One row a round and way, with columns ``round``, ``way``, ``wall`` and ``cpu``.
    """
    size, count = arguments.size, arguments.images
    rounds = arguments.rounds + _WARM_UP
    recipe = Recipe(epochs=rounds, batch_size=arguments.batch_size)
    steps = max(1, count // recipe.batch_size)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, size, size), np.uint8)
    labels = (generator.random((count, len(FINDINGS))) < 0.06).astype(np.uint8)
    teaching = Teaching("benchmark", teacher_network)
    teacher = build.build_network(teacher_network, size, seed=1)
    rows = np.arange(count)
    both_views(teacher, images, rows[: recipe.batch_size])  # builds the graph
    start = time.perf_counter()
    stored = both_views(teacher, images, rows)
    storing = time.perf_counter() - start

    def student() -> keras.Model:
        return build.build_network(network, size, seed=0)

    models = {
        BASE: compiled(student(), loop.objective(None), recipe, steps),
        STORED: compiled(student(), loop.objective(teaching), recipe, steps),
    }
    if not arguments.record:
        models[ONLINE] = compiled(online(student(), teacher), online_loss(teaching), recipe, steps)
    timed = []
    for epoch in tqdm.trange(rounds, desc=f"{network}, rounds"):
        # Who comes first changes from round to round.
        order = [list(models)[(epoch + shift) % len(models)] for shift in range(len(models))]
        for way in order:
            batches = EpochBatches(
                images, rows, labels, stored if way == STORED else None,
                batch_size=recipe.batch_size, flip=True, seed=0, epoch=epoch,
            )  # fmt: skip
            start, worked = time.perf_counter(), time.process_time()
            models[way].fit(batches, epochs=1, shuffle=False, verbose=0)
            spent = time.perf_counter() - start, time.process_time() - worked
            timed.append((epoch - _WARM_UP, way, *spent))
    table = pd.DataFrame(timed, columns=["round", "way", "wall", "cpu"])
    return table[table["round"] >= 0], storing


def report(rounds: pd.DataFrame, images: int) -> None:
    """Print one line for each way: medians, and ratios to base training round by round."""
    print(f"{'':16}{'s/epoch':>9}{'images/s':>10}   {'ratio of wall time':24}ratio of CPU time")
    wall, cpu = (
        rounds.pivot(index="round", columns="way", values=each) for each in ("wall", "cpu")
    )
    for way in rounds["way"].unique():
        median = wall[way].median()
        ratios = [ratio(each[way], each[BASE]) for each in (wall, cpu)]
        print(f"{way:16}{median:9.2f}{images / median:10.0f}   {ratios[0]:24}{ratios[1]}")


def ratio(times: pd.Series, base: pd.Series) -> str:
    """Median over rounds of time over base time, with a 95 % interval over resampled rounds."""
    ratios = (times / base).to_numpy()
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    return f"{Estimate.of(np.median(ratios), np.median(drawn, axis=1)):.3f}"


def record(
    rounds: pd.DataFrame,
    storing: float,
    network: str,
    teacher: str,
    arguments: argparse.Namespace,
) -> None:
    """Write the rounds of this pair to the results, in place of earlier ones of the same pair."""
    new = rounds.pivot(index="round", columns="way", values="wall").reset_index()
    new = new.rename(columns={BASE: "base", STORED: "taught"}).assign(
        network=network, teacher=teacher, size=arguments.size, batch=arguments.batch_size,
        images=arguments.images, storing=storing,
        hardware=cost.hardware_here(arguments.precision),
        date=f"{datetime.now(UTC):%Y-%m-%d}", commit=workspace.short_commit(),
    )  # fmt: skip
    key = ["network", "teacher", "size", "hardware"]
    if RESULTS.is_file():
        old = pd.read_csv(RESULTS)
        replaced = old.set_index(key).index.isin(new.set_index(key).index)
        new = pd.concat([old[~replaced], new], ignore_index=True)
    new[COLUMNS].to_csv(RESULTS, index=False, float_format="%.4f")


if __name__ == "__main__":
    main()
