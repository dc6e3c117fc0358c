"""PNG and gzip files whose bytes depend on nothing but their content.

Deflate libraries (zlib, zlib-ng, Intel's) compress the same content to different bytes.
The files written here store their content uncompressed, so that a phantom is the same
file for file on every machine; every reader of PNG and gzip reads them.
"""

import struct
import zlib

import numpy as np

_BLOCK = 65535


def stored_deflate(content: bytes) -> bytes:
    """A deflate stream (RFC 1951) of stored blocks."""
    blocks = []
    for start in range(0, max(len(content), 1), _BLOCK):
        block = content[start : start + _BLOCK]
        last = start + _BLOCK >= len(content)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"".join(blocks)


def gzip_bytes(content: bytes) -> bytes:
    """A gzip member (RFC 1952); members that follow each other read as one file."""
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + stored_deflate(content) + trailer


def png_bytes(pixels: np.ndarray, comment: str) -> bytes:
    """A PNG file with a text chunk "Comment".

    - `pixels`: uint8 (height, width) for a gray image or (height, width, 4) for RGBA.
    - `comment`: Latin-1 text.
    """
    height, width = pixels.shape[:2]
    color = 0 if pixels.ndim == 2 else 6
    rows = pixels.reshape(height, -1)
    # Every row opens with the number of its filter; 0 is none.
    content = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    data = b"\x78\x01" + stored_deflate(content) + struct.pack(">I", zlib.adler32(content))
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    text = b"Comment\0" + comment.encode("latin-1")
    chunks = ((b"IHDR", header), (b"tEXt", text), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
