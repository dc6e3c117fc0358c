import io
import struct
import zlib

import layout
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chestkd.data import decode
from chestkd.data.decode import CorruptImageError

GRAY = np.array([[0, 1, 127], [128, 254, 255]], np.uint8)


def replicated(pixels, alpha=None):
    channels = [pixels] * 3 + ([] if alpha is None else [np.full_like(pixels, alpha)])
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize(
    "data",
    [
        layout.png(GRAY),
        layout.png(replicated(GRAY)),
        layout.png(replicated(GRAY, alpha=255)),
        layout.png(GRAY, mode="LA"),
        layout.png(GRAY, mode="P"),
        # 16 bits: 257 times 8 bits is the same share of the largest value.
        layout.png(GRAY.astype(np.uint16) * 257),
    ],
    ids=["gray", "RGB", "RGBA", "gray with alpha", "palette", "16 bits"],
)
def test_the_same_radiograph_in_every_kind_of_png(data):
    decoded = decode.decode(data)
    assert decoded.dtype == np.uint8
    assert decoded.tolist() == GRAY.tolist()


def test_16_bits_are_rounded_not_truncated():
    deep = np.array([[0, 128, 129, 385, 386, 65406, 65407, 65535]], np.uint16)
    assert decode.decode(layout.png(deep)).tolist() == [[0, 0, 1, 1, 2, 254, 255, 255]]


def test_one_bit_is_black_or_white():
    data = layout.png(np.array([[0, 255, 255]], np.uint8), mode="1")
    assert decode.decode(data).tolist() == [[0, 255, 255]]


def test_a_color_is_its_luminance():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    # 255 times .299, .587 and .114.
    assert decode.decode(layout.png(pixels)).tolist() == [[76, 150, 29]]


def test_a_transparent_radiograph_is_refused():
    with pytest.raises(CorruptImageError, match="partly transparent"):
        decode.decode(layout.png(replicated(GRAY, alpha=254)))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_transparent_gray_level_is_refused_where_it_occurs(kind):
    for level, occurs in ((127, True), (126, False)):
        file = io.BytesIO()
        Image.fromarray(GRAY.astype(kind)).save(file, "PNG", transparency=level)
        if occurs:
            with pytest.raises(CorruptImageError, match="partly transparent"):
                decode.decode(file.getvalue())
        else:
            assert decode.decode(file.getvalue()).shape == GRAY.shape


# Corrupt files

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
WHOLE = layout.png(NOISE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with an empty file"),
        (b"<html>", "not a PNG image: starts with b'<html>'"),
        (WHOLE[:8], "truncated: ends after 8 bytes"),
        (WHOLE[:-1], "truncated"),
        (WHOLE[:-12], "without its IEND chunk"),
        (WHOLE[:1000], "truncated: ends after 1,000 bytes"),
        (
            WHOLE[:2000] + bytes([WHOLE[2000] ^ 1]) + WHOLE[2001:],
            "the checksum of its IDAT chunk is wrong",
        ),
    ],
)
def test_the_reason_why_a_file_is_corrupt_is_given(data, message):
    with pytest.raises(CorruptImageError) as error:
        decode.decode(data)
    assert message in str(error.value)


def chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(width, height, pixels, interlace=0):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, interlace)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return WHOLE[:8] + chunks


@pytest.mark.parametrize(
    "data",
    [
        png_of(4, 4, b"no zlib"),
        png_of(0, 4, zlib.compress(bytes(20))),
        png_of(30_000, 30_000, zlib.compress(bytes(20))),
        WHOLE[:8] + chunk(b"IEND", b""),
        WHOLE[:33] + chunk(b"IEND", b""),
    ],
    ids=["no zlib", "no width", "a bomb", "no header", "no pixels"],
)
def test_right_checksums_do_not_make_an_image(data):
    with pytest.raises(CorruptImageError):
        decode.decode(data)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position, change):
    data = bytearray(WHOLE)
    data[position] ^= change
    with pytest.raises(CorruptImageError):
        decode.decode(bytes(data))


def test_the_file_is_named(tmp_path):
    path = tmp_path / "00000001_000.png"
    path.write_bytes(WHOLE[:100])
    with pytest.raises(CorruptImageError, match=r"00000001_000\.png: truncated"):
        decode.decode_file(path)


def test_a_missing_file_is_not_a_corrupt_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode.decode_file(tmp_path / "00000001_000.png")


# Sizes


def test_halving_by_hand():
    image = np.array([[0, 2, 10, 10], [4, 6, 10, 11], [1, 1, 255, 255], [1, 2, 255, 255]], np.uint8)
    # Means 3, 10.25, 1.25, 255.
    assert decode.resize(image, 2).tolist() == [[3, 10], [1, 255]]


def test_a_share_of_a_pixel_by_hand():
    # From 3 to 2: each new pixel is one whole old one and half of the middle one.
    row = np.array([[30, 60, 120]], np.uint8)
    assert decode.resize(np.repeat(row, 3, axis=0), 2).tolist() == [[40, 100], [40, 100]]


def test_halves_are_rounded_up():
    assert decode.resize(np.array([[0, 1], [0, 1]], np.uint8), 1).tolist() == [[1]]
    assert decode.resize(np.array([[0, 0], [0, 1]], np.uint8), 1).tolist() == [[0]]


def test_the_same_size_is_the_same_image():
    assert decode.resize(NOISE, 64).tolist() == NOISE.tolist()


@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    size=st.integers(1, 24),
    seed=st.integers(0, 99),
)
def test_area_average_agrees_with_block_means(height, width, size, seed):
    height, width = max(height, size), max(width, size)
    image = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    # Every pixel repeated `size` times makes each new pixel a block of whole ones.
    repeated = image.repeat(size, axis=0).repeat(size, axis=1)
    blocks = repeated.reshape(size, height, size, width).mean(axis=(1, 3))
    assert np.abs(decode.resize(image, size) - blocks).max() <= 0.5 + 1e-9


def test_enlarging_agrees_with_scipy():
    enlarged = decode.resize(NOISE, 160)
    expected = scipy.ndimage.zoom(NOISE.astype(float), 2.5, order=1, mode="nearest", grid_mode=True)
    assert np.abs(enlarged - expected).max() < 1.01


@pytest.mark.parametrize("shape", [(2, 8), (8, 2)])
def test_one_axis_may_shrink_while_the_other_grows(shape):
    long = np.repeat([10, 20, 30, 40], 2)
    image = np.broadcast_to(long.reshape((1, 8) if shape[1] == 8 else (8, 1)), shape)
    resized = decode.resize(np.ascontiguousarray(image, np.uint8), 4)
    expected = np.repeat([[10, 20, 30, 40]], 4, axis=0)
    assert resized.tolist() == (expected if shape[1] == 8 else expected.T).tolist()


@pytest.mark.parametrize("size", [1, 32, 64, 100, 224])
def test_a_constant_image_stays_constant(size):
    assert set(decode.resize(np.full((64, 64), 255, np.uint8), size).flat) == {255}


def test_color_files_of_the_sample_are_gray(shared):
    kinds = {}
    for path in sorted((shared / "data" / "chestxray14-sample" / "images").iterdir()):
        with Image.open(path) as image:
            if image.mode == "L":
                continue
            kinds[image.mode] = kinds.get(image.mode, 0) + 1
            channels = np.asarray(image)
        assert (channels[..., :3] == channels[..., :1]).all()
        assert (channels[..., 3:] == 255).all()
        assert (decode.decode_file(path) == channels[..., 0]).all()
    assert kinds == {"RGB": 9, "RGBA": 6}
