import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from chestkd.phantom.masks import decode_mask, encode_mask
from chestkd.phantom.plainfiles import gzip_bytes, png_bytes, stored_deflate


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 64), (300, 300), (9, 9, 4)])
def test_pillow_reads_the_png_files_back(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(png_bytes(pixels, "PHANTOM: a comment"))) as image:
        assert image.mode == ("L" if len(shape) == 2 else "RGBA")
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.info["Comment"] == "PHANTOM: a comment"


@pytest.mark.parametrize("length", [0, 1, 65_535, 65_536, 200_000])
def test_gzip_reads_the_members_back(length):
    content = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    assert gzip.decompress(gzip_bytes(content)) == content
    assert gzip.decompress(gzip_bytes(content) + gzip_bytes(b"more")) == content + b"more"


def test_a_stored_block_written_by_hand():
    # Last block, length 3, its complement, then the bytes themselves.
    assert stored_deflate(b"abc") == b"\x01\x03\x00\xfc\xffabc"


def test_run_lengths_of_a_mask_by_hand():
    mask = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]], bool)
    assert encode_mask(mask).tolist() == [1, 3, 4, 1]
    assert encode_mask(~mask).tolist() == [0, 1, 3, 4, 1]


@settings(max_examples=50)
@given(arrays.arrays(bool, st.integers(1, 12).map(lambda side: (side, side))))
def test_masks_survive_their_run_lengths(mask):
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), len(mask)), mask)
