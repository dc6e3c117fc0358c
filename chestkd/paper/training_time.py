"""What the training times of Ho & Gwak (2020), Table 2, can and cannot mean, computed."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from chestkd.paper import published

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
    # Side of its output map in pixels.
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
    ``epochs_at_ceiling``: how many epochs the printed minutes hold at that rate;
    ``loose_ceiling``: images a second if the 3 x 3 convolutions cost nothing, because fast
    algorithms (Winograd's) save part of their multiplications.
    """
    numbers, facts = published.text_numbers()["value"], published.outside_facts()["value"]
    times = published.table2().set_index(published.RUN_KEY)["minutes"]
    minutes = times["base", "densenet-121", ""]
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


def self_training_time() -> pd.DataFrame:
    """Minutes of self-training against base and standard training of the same network.

    ``network``, ``base``, ``self-training``, ``over_base``: their ratio; ``standard``: taught by
    DenseNet-121; ``cheaper_than_standard``: True or False. The five networks with all three.
    """
    times = published.table2().dropna(subset="minutes")
    times = times[(times["strategy"] != "standard") | (times["teacher"] == "densenet-121")]
    times = times[times["strategy"].isin(["base", "self-training", "standard"])]
    table = times.pivot_table(index="network", columns="strategy", values="minutes").dropna()
    networks = [network for network in published.NETWORKS if network in table.index]
    table = table.loc[networks, ["base", "self-training", "standard"]].rename_axis(columns=None)
    table.insert(2, "over_base", table["self-training"] / table["base"])
    table["cheaper_than_standard"] = table["self-training"] < table["standard"]
    return table.reset_index()


def networks_without_auc() -> list[str]:
    """Networks with a row in Table 2 and none in Table 1."""
    timed = published.table2()["row_network"].unique()
    scored = set(published.table1()["row_student"])
    return [network for network in timed if network not in scored]
