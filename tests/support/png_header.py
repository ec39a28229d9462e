# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""PNG files that are all claim: a header of any size, and hardly a pixel."""

import struct
import zlib


def png_of(width_px: int, height_px: int, bits: int = 1, colour: int = 0) -> bytes:
    """Return a PNG that claims a size and has one row of zeros.

    Args:
        colour: Type of the pixels as the format numbers them: 0 is grey, 2 red, green and blue.
    """
    header = struct.pack(">IIBBBBB", width_px, height_px, bits, colour, 0, 0, 0)
    row = bytes(1 + (width_px * bits * (3 if colour == 2 else 1) + 7) // 8)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
