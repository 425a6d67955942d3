"""How long the slowest images take that are still read: large ones, with as many parts as allowed.

    python benchmarks/slow_images.py

Nothing but counting bounds the time of an image (`tumorscope.imaging.bounds`, SECURITY.md). Each
line is one image that is made here to take long, near the limit of pixels, with its size, the
processor time of reading it, and what came of it.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging.bounds import MOST_SCANS
from tumorscope.imaging.read import open_bytes

SIDE = 7900


def main() -> None:
    """Print a line for each image."""
    for name, data in images():
        began = time.process_time()
        try:
            open_bytes(data, source=name)
            said = "read"
        except UnreadableImageError as error:
            said = f"refused: {error.why[:60]}…"
        taken = time.process_time() - began
        print(f"{name:<32} {len(data) / 1e6:7.1f} MB {taken:6.2f} s  {said}", flush=True)


def images() -> Iterator[tuple[str, bytes]]:
    """Yield what each image is, and its file."""
    blocks = np.random.default_rng(0).integers(0, 256, (SIDE // 8 + 1, SIDE // 8 + 1), np.uint8)
    drawn = Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)[:SIDE, :SIDE])
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8))
    black = Image.new("L", (SIDE, SIDE))
    colour, dark = (Image.merge("RGB", (each,) * 3) for each in (drawn, black))
    yield "JPEG, grey", encoded(drawn, "JPEG")
    yield "JPEG, colour, progressive", encoded(colour, "JPEG", progressive=True)
    yield "JPEG, noise, progressive", encoded(noise, "JPEG", progressive=True)
    for name, picture, scans in (
        ("grey", drawn, MOST_SCANS),
        ("colour, nothing in it", dark, MOST_SCANS),
        ("noise", noise, 30),  # more would be a file that needs too much memory
        ("grey", drawn, MOST_SCANS + 1),
    ):
        data = repeated(encoded(picture, "JPEG", progressive=True), scans)
        yield f"JPEG, {name}, {scans} scans", data
    yield "PNG, colour, transparency", encoded(Image.merge("RGBA", (drawn,) * 4), "PNG")
    yield "WebP, colour, lossless", encoded(colour, "WEBP", lossless=True, method=0)
    yield "GIF", encoded(drawn.quantize(64), "GIF")
    yield (
        "TIFF, LZW, a strip a row",
        encoded(drawn, "TIFF", compression="tiff_lzw", tiffinfo={278: 1}),
    )


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    """Return the file of a picture."""
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def repeated(data: bytes, scans: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again and again."""
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[last:end] * (scans - data.count(b"\xff\xda")) + data[end:]


if __name__ == "__main__":
    main()
