"""The service under load, beside a plain FastAPI service with Keras on the same images.

    python benchmarks/serve_load.py --data FOLDER [--clients N] [--seconds S] [--keras] [-o FILE]

FOLDER holds JPEG or PNG slices. As many clients as are named send one slice each at the same time,
again as soon as they are answered; after a 503 they wait as long as Retry-After says. The plain
service is what one writes in an afternoon: it loads the picture, calls `predict` of a Keras network
of the same shape, and returns the probability. Both run as one process each, one after the other.
Clients are cheap (bare sockets in one process), but share the cores with what they measure.

Needs the extras serve and, with --keras, train. Writes a CSV: answers per second, seconds to
accepted answers, errors by code, memory of the service along the run, and processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tumorscope.common.csv_files import write_csv
from tumorscope.imaging.find import images_below

PLAIN = """
import io, socket, sys
import keras, numpy as np, uvicorn
from fastapi import FastAPI, File, UploadFile
from PIL import Image
from tumorscope.detection.detector import PACKAGED
from tumorscope.model_file.onnx_file import read_model
from tumorscope.networks.network import build
from tumorscope.recipes.recipe import Recipe

packaged = read_model(PACKAGED)
model = build(Recipe.parse(dict(packaged.metadata.recipe)))
size = packaged.metadata.preprocessing.size
model.predict(np.zeros((1, size, size, 3), np.float32), verbose=0)
app = FastAPI()

@app.post("/predict")
def predict(file: UploadFile = File()):
    image = Image.open(io.BytesIO(file.file.read())).convert("RGB").resize((size, size))
    pixels = np.asarray(image, np.float32)[None] / 127.5 - 1
    return {"probability": float(np.ravel(model.predict(pixels, verbose=0))[0])}

listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
print('{"url": "http://127.0.0.1:%d/"}' % listening.getsockname()[1], flush=True)
server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
server.run(sockets=[listening])
"""

READ = 2**16


@dataclass(slots=True)
class Answers:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    began: float = 0.0
    elapsed: float = 0.0


@contextmanager
def service(words: Sequence[str]) -> Iterator[tuple[int, psutil.Process]]:
    """Start a service and give its port and process; end it."""
    started = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        said = ""
        while "}" not in said:
            line = started.stdout.readline()
            if not line:
                raise SystemExit(f"{' '.join(words[:4])} … ended before it was ready")
            said += line
        url = str(json.loads(said)["url"])
        yield int(url.rstrip("/").rpartition(":")[2]), psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(30)


def form_of(path: Path, target: str, name: str) -> bytes:
    """Return a whole request that sends a file in a form."""
    body = (
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{path.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += path.read_bytes() + b"\r\n--x--\r\n"
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + body


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> str:
    """Send a request; return the code, and what Retry-After says behind a space."""
    reader, writer = streams
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    left = int(fields.get("content-length", "0"))
    while left:
        left -= len(await reader.read(min(left, READ)))
    return f"{head.split()[1]} {fields.get('retry-after', '')}"


async def client(port: int, requests: Sequence[bytes], end: float, answers: Answers) -> None:
    """Send one request after the other until the end."""
    streams, number = None, 0
    while time.perf_counter() < end:
        used = streams is not None
        try:
            streams = streams or await asyncio.open_connection("127.0.0.1", port)
            began = time.perf_counter()
            code, _, after = (await ask(streams, requests[number % len(requests)])).partition(" ")
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            # One that was closed after an answer says nothing: every client then opens another.
            if not used or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                answers.codes[type(error).__name__] += 1
            streams = None
            continue
        number += 1
        answers.codes[code] += 1
        if code == "200":
            now = time.perf_counter()
            answers.seconds.append(now - began)
            # A slow service still answers what was sent before the end.
            answers.elapsed = now - answers.began
        elif after:
            await asyncio.sleep(min(float(after), max(0.0, end - time.perf_counter())))
    if streams is not None:
        streams[1].close()


async def load(
    port: int, process: psutil.Process, requests: Sequence[bytes], clients: int, seconds: float
) -> Answers:
    """Let all clients send at once; look at the memory of the service once a second."""
    answers = Answers(began=time.perf_counter())
    end = answers.began + seconds
    turned = [list(np.roll(range(len(requests)), -each)) for each in range(clients)]
    tasks = [
        asyncio.create_task(client(port, [requests[place] for place in order], end, answers))
        for order in turned
    ]
    while time.perf_counter() < end:
        await asyncio.sleep(1.0)
        answers.memory.append(process.memory_info().rss / 2**20)
    await asyncio.gather(*tasks)
    return answers


def measured(name: str, words: Sequence[str], requests: Sequence[bytes], asked: Asked) -> Record:
    """Return a record of one service."""
    with service(words) as (port, process):
        asyncio.run(load(port, process, requests, 4, 3.0))  # not counted
        before = process.cpu_times()
        answers = asyncio.run(load(port, process, requests, asked.clients, asked.seconds))
        after = process.cpu_times()
    seconds, memory = np.array(answers.seconds or [np.nan]), answers.memory
    spent = after.user + after.system - before.user - before.system
    accepted = len(answers.seconds)
    busy = answers.codes.pop("503", 0)
    answers.codes.pop("200", None)
    half = max(1, len(memory) // 2)
    return {
        "service": name,
        "clients": asked.clients,
        "seconds": round(max(answers.elapsed, asked.seconds), 1),
        "answers": accepted,
        "answers_per_second": round(accepted / max(answers.elapsed, asked.seconds), 2),
        "cpu_ms_per_answer": round(1000 * spent / max(1, accepted), 2),
        "median_s": round(float(np.median(seconds)), 3),
        "p99_s": round(float(np.percentile(seconds, 99)), 3),
        "busy_503": busy,
        "errors": ";".join(f"{code}:{count}" for code, count in answers.codes.items()),
        "memory_mib_first_half": round(max(memory[:half]), 1),
        "memory_mib_second_half": round(max(memory[half:] or memory), 1),
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """How much load."""

    clients: int
    seconds: float


Record = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--keras", action="store_true")
    parser.add_argument("--options", default="", help="of tumorscope serve, in one word")
    parser.add_argument("-o", "--output", type=Path, default=Path("serve_load.csv"))
    arguments = parser.parse_args()
    files = sorted(images_below(arguments.data))[: arguments.files]
    asked = Asked(arguments.clients, arguments.seconds)
    ours = [sys.executable, "-m", "tumorscope", "serve", "--port", "0", "--json", "--quiet"]
    contenders = [
        ("tumorscope serve", [*ours, *arguments.options.split()], "/v1/findings", "files")
    ]
    if arguments.keras:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        contenders.append(("FastAPI and Keras", [sys.executable, "-c", PLAIN], "/predict", "file"))
    records = []
    for name, words, target, part in contenders:
        requests = [form_of(path, target, part) for path in files]
        records.append(measured(name, words, requests, asked))
        print(records[-1], file=sys.stderr)
    write_csv(arguments.output, list(records[0]), records)


if __name__ == "__main__":
    main()
