"""Damage files at random and look whether anything but an error of ours comes of it.

    python benchmarks/fuzz.py [--seconds 600] [--seed 0] [-o fuzz-findings]
    python benchmarks/fuzz.py --only images --seed 123456 --cases 1

`make fuzz` runs the first. Seeds are small files: images of every format, DICOM files of every
transfer syntax that pydicom brings, NIfTI and NRRD, a model file, manifests and recipes. Each case
damages one by its number alone, so that a finding is made again by the second command; its file is
kept in the folder as well. A finding is an exception that is not one of ours, or a case that takes
more than ten seconds of processor time. Exits with 1 if there is one. Ctrl-C ends it early, and the
counts are printed all the same.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import onnx
from PIL import Image
from pydicom.data import get_testdata_file

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import InputError, TumorscopeError
from tumorscope.detection.detector import PACKAGED
from tumorscope.imaging.read import open_bytes
from tumorscope.model_file.allowed import NotAllowedError, check_allowed
from tumorscope.model_file.onnx_file import read_model, write_model
from tumorscope.model_file.protobuf import WireError
from tumorscope.model_file.schema import TrainingThumbprints
from tumorscope.recipes.recipe import Recipe
from tumorscope.scans import Volume, index_study, read_volumes, views

SLOW = 10.0
"""Seconds of processor time, so that a busy machine finds nothing."""

WAITED = 120.0
"""Seconds by the clock, of which those count that a process of a decoder takes."""

_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\0")


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed, with which seeds."""

    seeds: list[bytes]
    feed: Callable[[bytes], object]
    every: int = 1
    """One in so many cases; those of large files take longer."""


def images() -> Target:
    """Return images of every format, in several modes."""
    rows, columns = np.mgrid[:48, :40]
    grey = Image.fromarray(((rows * 5 + columns * 3) % 256).astype(np.uint8))
    colour = Image.merge("RGB", (grey, grey.rotate(90, expand=False), grey))
    exif = Image.Exif()
    exif[0x0112] = 6
    asked: list[tuple[Image.Image, str, dict[str, object]]] = [
        (grey, "PNG", {}),
        (colour.convert("RGBA"), "PNG", {"exif": exif}),
        (colour.quantize(32), "PNG", {"transparency": 3}),
        (grey.convert("I;16"), "PNG", {}),
        (grey, "JPEG", {"exif": exif}),
        (colour, "JPEG", {"progressive": True, "comment": b"drawn"}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour.quantize(16), "GIF", {"comment": b"drawn"}),
        (colour, "BMP", {}),
        (grey, "TIFF", {"compression": "tiff_lzw"}),
        (grey.convert("F"), "TIFF", {}),
        (colour, "TIFF", {"compression": "tiff_deflate"}),
        (colour, "WEBP", {"exif": exif}),
        (colour, "WEBP", {"lossless": True}),
    ]
    seeds = []
    for picture, form, options in asked:
        stream = io.BytesIO()
        picture.save(stream, form, **options)
        seeds.append(stream.getvalue())
    return Target(seeds, lambda data: open_bytes(data, source="fuzz"))


def models(folder: Path) -> Target:
    """Return the packaged model without most of its weights: what is damaged is the structure."""
    graph = onnx.load_from_string(PACKAGED.read_bytes())
    for tensor in graph.graph.initializer:
        if len(tensor.raw_data) > 64:
            tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // int(np.prod(tensor.dims))]
            tensor.dims[:] = [1]
    metadata = read_model(PACKAGED).metadata
    bare = metadata.model_copy(update={"seen": TrainingThumbprints(), "card": ""})
    path = folder / "model.onnx"
    write_model(path, graph.SerializeToString(), bare)

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        # Nearly all end at a hash, so the walk through the graph is asked as well.
        with contextlib.suppress(NotAllowedError, WireError):
            check_allowed(data)
        read_model(path)

    return Target([path.read_bytes()], feed, every=10)


def scans(folder: Path) -> Target:
    """Return files of volumes, of which each is read and shown as `predict` does."""
    names = ("", "_RLE", "_bigendian", "_implicit", "_jp2klossless", "_jpeg_ls_lossless")
    files = [get_testdata_file(f"MR_small{name}.dcm") for name in names]
    seeds = [Path(str(file)).read_bytes() for file in files]
    values = np.random.default_rng(0).integers(0, 999, (9, 8, 7), dtype=np.int16)
    for path in (folder / "seed.nii", folder / "seed.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), path)
        seeds.append(path.read_bytes())
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 7 8 9\nendian: little\nencoding: raw\n"
    header += "space: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,2)\n\n"
    seeds.append(header.encode() + values.tobytes())
    endings = {b"NRRD": ".nrrd", b"\x1f\x8b\x08\x08": ".nii.gz", seeds[-3][:4]: ".nii"}

    def feed(data: bytes) -> None:
        path = folder / f"scan{endings.get(data[:4], '.dcm')}"
        path.write_bytes(data)
        try:
            found = [each for one in index_study(path).series for each in read_volumes(one)]
            for volume in found:
                if isinstance(volume, Volume):
                    list(views(volume))
            if not any(isinstance(each, Volume) for each in found):
                raise InputError("nothing was read")
        finally:
            path.unlink()

    return Target(seeds, feed)


def manifests(folder: Path) -> Target:
    """Return manifests with commas, semicolons and in UTF-16."""
    text = f"path,sha256,label,group,split\na.png,{'a' * 64},1,p1,training\n"
    text += f"b.png,{'b' * 64},0,p2,testing\n"
    path = folder / "manifest.csv"

    def feed(damaged: bytes) -> None:
        path.write_bytes(damaged)
        Manifest.load(path)

    seeds = [text.encode(), text.replace(",", ";").encode(), text.encode("utf-16")]
    return Target(seeds, feed)


def recipes(folder: Path) -> Target:
    """Return recipes that ship, as text."""
    path = folder / "recipe.toml"

    def feed(damaged: bytes) -> None:
        path.write_bytes(damaged)
        Recipe.load(str(path))

    return Target([Recipe.load(name).to_toml().encode() for name in ("paper", "demo")], feed)


def damaged(target: Target, seed: int) -> bytes:
    """Return one of the seeds, changed in one to six places by the number of the case."""
    draw = random.Random(seed)
    data = bytearray(draw.choice(target.seeds))
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) + 1) if draw.random() < 0.5 else draw.randrange(200)
        kind = draw.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = draw.randrange(256)
        elif kind == 2:
            data[at : at + 4] = draw.choice(_NUMBERS)
        elif kind == 3:
            del data[at : at + draw.randrange(1, 40)]
        elif kind == 4:
            data[at:at] = draw.randbytes(draw.randrange(1, 40))
        else:
            other = draw.choice(target.seeds)
            begin = draw.randrange(len(other))
            data[at:at] = other[begin : begin + draw.randrange(1, 400)]
    return bytes(data)


def run(target: Target, seed: int) -> str:
    """Return what came of one case: nothing wrong ("read", "refused"), or what is."""
    began, clock, said = time.process_time(), time.perf_counter(), "read"
    try:
        target.feed(damaged(target, seed))
    except TumorscopeError:
        said = "refused"
    except Exception:
        return traceback.format_exc()
    taken, waited = time.process_time() - began, time.perf_counter() - clock
    if taken > SLOW or waited > WAITED:
        return f"it took {taken:.1f} s of processor time, and {waited:.1f} s in all"
    return said


def main() -> None:
    """Run for so long and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, help="at most so many of each kind")
    parser.add_argument("--only", choices=["images", "scans", "models", "manifests", "recipes"])
    parser.add_argument("-o", "--output", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of Pillow, about damaged files
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        targets = {
            "images": images(),
            "scans": scans(folder),
            "models": models(folder),
            "manifests": manifests(folder),
            "recipes": recipes(folder),
        }
        if arguments.only:
            targets = {arguments.only: targets[arguments.only]}
        counts, spent = Counter[tuple[str, str]](), Counter[str]()
        seed, end = arguments.seed, time.monotonic() + arguments.seconds
        last = None if arguments.cases is None else seed + arguments.cases
        with contextlib.suppress(KeyboardInterrupt):
            while time.monotonic() < end and seed != last:
                for name, target in targets.items():
                    if seed % target.every and not arguments.only:
                        continue
                    began = time.process_time_ns()
                    said = run(target, seed)
                    spent[name] += time.process_time_ns() - began
                    counts[name, said if said in ("read", "refused") else "FINDING"] += 1
                    if said not in ("read", "refused"):
                        keep(arguments.output / f"{name}-{seed}", damaged(target, seed), said)
                seed += 1
    for (name, said), count in sorted(counts.items()):
        print(f"{name:<10} {said:<8} {count:>9,}")
    for name, taken in spent.items():
        cases = sum(count for (of, _), count in counts.items() if of == name)
        print(f"{name:<10} {taken / 1e6 / cases:8.2f} ms of processor time a case")
    sys.exit(any(said == "FINDING" for _, said in counts))


def keep(path: Path, data: bytes, said: str) -> None:
    """Keep the file of a finding, and what came of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(said)
    print(f"{path.name}: {said.strip().splitlines()[-1]}; kept {path}", flush=True)


if __name__ == "__main__":
    main()
