"""From PNG bytes to a gray radiograph, and from there to a given size.

Pillow decodes. OpenCV takes three quarters of the time (benchmarks/decoders.py: 10 instead of 13
ms to read a radiograph of 1024 pixels at 224). Over all of ChestX-ray14 that saves three minutes
on two cores, once, which is not worth another large dependency.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRANSPARENT = "partly transparent; expected an opaque image"


class CorruptImageError(ValueError):
    """A readable file that does not contain a usable radiograph."""


def decode_file(path: Path) -> np.ndarray:
    """Gray radiograph (H, W), uint8, 0..255, of a PNG file.

    Raises CorruptImageError, which names the file, and OSError if it cannot be read at all.
    """
    data = path.read_bytes()
    try:
        return decode(data)
    except CorruptImageError as error:
        raise CorruptImageError(f"{path}: {error}") from error


def decode(data: bytes) -> np.ndarray:
    """Gray radiograph (H, W), uint8, 0..255, of the bytes of a PNG file.

    Colors become their luminance (Rec. 601; gray values stay exactly as they are), 16 bits become
    8 by division by 257 and rounding, palettes are looked up, and a fully opaque alpha channel is
    dropped. Raises CorruptImageError if the bytes are not a complete PNG or are partly transparent.
    """
    _check_chunks(data)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return _gray(image)
    except CorruptImageError:
        raise
    # What Pillow raises for bytes that it cannot decode; MemoryError is not among them.
    except (OSError, SyntaxError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise CorruptImageError(f"not a complete PNG image: {error}") from error
    except Image.DecompressionBombError as error:
        raise CorruptImageError(str(error)) from error


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """The radiograph (H, W), uint8, as (size, size), uint8.

    Each axis is shrunk by averaging over the area of each new pixel, or else enlarged bilinearly.
    Boxes given as fractions of the frame stay valid, even if the image was not square.
    """
    height, width = image.shape
    image = _average(image, min(height, size), min(width, size))
    if image.shape == (size, size):
        return image
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def _average(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Mean over the area of each new pixel; old pixels on its border count by their share.

    In integers, so that every machine rounds the same way. Pillow's box filter counts a border
    pixel fully or not at all, which is off by up to 30 gray levels from 1024 to 224.
    """
    if image.shape == (height, width):
        return image
    area = image.shape[0] * image.shape[1]
    rows = _sum_rows(image.astype(np.int32, copy=False), height)
    sums = _sum_rows(np.ascontiguousarray(rows.T).astype(np.int64), width).T
    return ((sums + area // 2) // area).astype(np.uint8)


def _sum_rows(values: np.ndarray, size: int) -> np.ndarray:
    """For each of `size` new rows, the sum of the old rows it covers, each times its share.

    In units of 1/size of an old row, new row k covers k * old to (k + 1) * old, and old row j
    covers j * size to (j + 1) * size. Shapes (old, n) to (size, n).
    """
    old = len(values)
    start = np.arange(size) * old
    first = start // size
    total = np.zeros((size, values.shape[1]), values.dtype)
    # No new row overlaps more old rows than this.
    for step in range(-(-old // size) + 1):
        row = first + step
        share = np.minimum((row + 1) * size, start + old) - np.maximum(row * size, start)
        part = values[np.minimum(row, old - 1)]
        part *= share.clip(0).astype(values.dtype)[:, None]
        total += part
    return total


def _gray(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.uint32)
        if (deep == image.info.get("transparency")).any():
            raise CorruptImageError(_TRANSPARENT)
        return ((deep + 128) // 257).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        lowest, _ = image.getchannel("A").getextrema()
        if lowest != 255:
            raise CorruptImageError(_TRANSPARENT)
    if image.mode not in ("L", "1"):
        # Palettes are converted by way of their colors.
        image = image.convert("RGB")
    return np.array(image.convert("L"))


def _check_chunks(data: bytes) -> None:
    """Verify the checksum that PNG stores with each chunk: decoders skip those of the pixels."""
    if not data.startswith(_SIGNATURE):
        kind = "an empty file" if not data else f"{data[:8]!r}"
        raise CorruptImageError(f"not a PNG image: starts with {kind}")
    start = len(_SIGNATURE)
    while start + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        if end + 4 > len(data):
            break
        (expected,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(memoryview(data)[start + 4 : end]) != expected:
            raise CorruptImageError(f"the checksum of its {name.decode('latin-1')} chunk is wrong")
        if name == b"IEND":
            return
        start = end + 4
    raise CorruptImageError(f"truncated: ends after {len(data):,} bytes without its IEND chunk")
