"""What the training times of Ho & Gwak (2020), Table 2, can and cannot mean, computed."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from chestkd.distillation.run_names import RunName
from chestkd.paper import published
from chestkd.paper.comparisons import STUDENTS

_MINUTES_PER_DAY = 24 * 60
# A multiply-add is two operations; the backward pass repeats the work of the forward pass
# twice, once for the gradient of the weights and once for that of the activations.
_OPERATIONS_PER_TRAINED_MULTIPLY_ADD = 2 * 3


@dataclass(frozen=True)
class Convolution:
    """One square convolution of a network."""

    kernel: int
    inputs: int
    outputs: int
    #: Side of its output map in pixels.
    side: int

    @property
    def weights(self) -> int:
        """Number of weights; these convolutions have no bias."""
        return self.kernel**2 * self.inputs * self.outputs

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image."""
        return self.weights * self.side**2


def densenet121_convolutions(size: int = 224, channels: int = 3) -> Iterator[Convolution]:
    """The 120 convolutions of DenseNet-121 (Huang et al. 2017, Table 1; growth rate 32).

    ``size``: side of the square input in pixels, a multiple of 32; ``channels`` of the input.
    """
    if size < 32 or size % 32:
        raise ValueError(f"size must be a positive multiple of 32, not {size}")
    width, side = 64, size // 2
    yield Convolution(7, channels, width, side)
    side //= 2
    for block, layers in enumerate((6, 12, 24, 16)):
        if block:
            # The transition convolves before it pools.
            yield Convolution(1, width, width // 2, side)
            width, side = width // 2, side // 2
        for _ in range(layers):
            yield Convolution(1, width, 128, side)
            yield Convolution(3, 128, 32, side)
            width += 32


def total_time() -> pd.DataFrame:
    """All of Table 2 against the computation time of the text: ``what``, ``minutes``, ``days``."""
    week = published.text_numbers()["value"]["computation_time"] * _MINUTES_PER_DAY
    minutes = [published.table2()["minutes"].sum(), week]
    table = pd.DataFrame({"what": ["sum of Table 2", "one week"], "minutes": minutes})
    return table.assign(days=table["minutes"] / _MINUTES_PER_DAY)


def densenet121_speed() -> pd.Series:
    """Images a second that Table 2 implies for DenseNet-121, and the most that its GPU allows.

    ``images``: training images (the paper's share of all images); ``epochs``; ``minutes``:
    base training; ``implied``: images a second; ``gflop_per_image``: forward and backward
    through the convolutions alone, so a lower limit; ``tflops``: peak of a GTX 1070 in
    float32, two operations a core and clock; ``ceiling``: images a second at that peak;
    ``epochs_at_ceiling``: how many epochs fit into the printed minutes at that rate;
    ``loose_ceiling``: images a second if the 3 x 3 convolutions cost nothing, because fast
    algorithms (Winograd's) save part of their multiplications.
    """
    numbers, facts = published.text_numbers()["value"], published.outside_facts()["value"]
    minutes = published.minutes()[RunName("base", "densenet-121")]
    images = round(numbers["training_share"] * numbers["images"])
    size = int(numbers["input_side"])
    layers = list(densenet121_convolutions(size))
    gflop, gflop_without = (
        _OPERATIONS_PER_TRAINED_MULTIPLY_ADD
        * sum(layer.multiply_adds for layer in layers if layer.kernel != left_out)
        / 1e9
        for left_out in (None, 3)
    )
    tflops = 2 * facts["gtx_1070_cores"] * facts["gtx_1070_boost_clock"] / 1e6
    ceiling = 1000 * tflops / gflop
    return pd.Series(
        {
            "images": images,
            "epochs": numbers["epochs"],
            "minutes": minutes,
            "implied": images * numbers["epochs"] / (60 * minutes),
            "gflop_per_image": gflop,
            "tflops": tflops,
            "ceiling": ceiling,
            "epochs_at_ceiling": 60 * minutes * ceiling / images,
            "loose_ceiling": 1000 * tflops / gflop_without,
        }
    )


def speed_in_words(speed: pd.Series) -> str:
    """`densenet121_speed` in Markdown, with its arithmetic."""
    return (
        f"Base training of DenseNet-121 took {speed['minutes']:.0f} minutes. As "
        f"{speed['epochs']:.0f} epochs of {speed['images']:,.0f} images that is "
        f"{speed['images']:,.0f} x {speed['epochs']:.0f} / ({speed['minutes']:.0f} x 60 s) = "
        f"**{speed['implied']:,.0f} images a second**. Forward and backward through its "
        f"convolutions at the paper's input size take {speed['gflop_per_image']:.1f} GFLOP an "
        f"image. A GTX 1070 has {speed['tflops']:.2f} TFLOP/s at its peak, which is at most "
        f"{speed['tflops']:.2f} x 1000 / {speed['gflop_per_image']:.1f} = "
        f"**{speed['ceiling']:.0f} images a second**, or "
        f"{speed['loose_ceiling']:.0f} if the 3 x 3 convolutions cost nothing. Table 2 cannot be "
        f"{speed['epochs']:.0f} epochs of the full training set; at the peak its time is enough "
        f"for {speed['epochs_at_ceiling']:.0f}."
    )


def self_training_time() -> pd.DataFrame:
    """Minutes of self-training against base and standard training of the same network.

    ``network``, ``base``, ``self-training``, ``over_base``: their ratio; ``standard``: taught by
    DenseNet-121; ``cheaper_than_standard``: True or False. The five networks with all three.
    """
    minutes = published.minutes()
    table = pd.DataFrame({"network": STUDENTS})
    for name in ("base", "self-training", "standard"):
        runs = [RunName.of_pair(name, student, "densenet-121") for student in STUDENTS]
        table[name] = [minutes[run] for run in runs]
    table.insert(3, "over_base", table["self-training"] / table["base"])
    return table.assign(cheaper_than_standard=table["self-training"] < table["standard"])


def networks_without_auc() -> list[str]:
    """Networks with a row in Table 2 and none in Table 1."""
    timed = published.table2()["row_network"].unique()
    scored = set(published.table1()["row_student"])
    return [network for network in timed if network not in scored]
