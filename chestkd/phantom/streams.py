"""Named streams of random numbers, so that no draw depends on the order of the others."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for; the numbers are part of the data and never change."""

    HISTORY = 0
    ANATOMY = 1
    POSE = 2
    SITE = 3
    SEVERITY = 4
    LABEL_NOISE = 5
    DEVICES = 6
    QUANTUM_NOISE = 7
    MIMICS = 8
    BOXES = 9
    FILE_MODES = 10


def open_stream(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """The generator of one stream for one patient, visit or finding (`keys`)."""
    entropy = np.random.SeedSequence(seed, spawn_key=(int(stream), *keys))
    return np.random.Generator(np.random.PCG64(entropy))
