"""Show that a DICOM node loses nothing and doubles nothing, whatever happens to it.

    python -m benchmarks.node_kills [--kills N] [--instances N]

writes benchmarks/results/node_kills.csv, a line for each thing that was tried: `kill -9` at random
moments under load, many instances in constant memory, 20 associations at once, and a disk that is
full (in a mount of its own; left out where that is not allowed). The archive beside the node is
pynetdicom, and only counts. The series are drawn; the model is the packaged one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, SecondaryCaptureImageStorage

from tumorscope.common.csv_files import write_csv
from tumorscope.serving.node_status import read_status
from tumorscope.serving.spool import Snapshot, token

RESULTS = Path(__file__).parent / "results" / "node_kills.csv"
SLICES, EDGE = 12, 64
CAPTURES = ("1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.4")
EMPTY = ("PatientBirthDate", "PatientSex", "StudyTime", "StudyID", "AccessionNumber")


class Archive:
    """Who gets the results: counts them by UID."""

    def __init__(self) -> None:
        self.objects: Counter[str] = Counter()
        self.reports: dict[str, set[str]] = {}
        entity = AE("ARCHIVE")
        for each in (Comprehensive3DSRStorage, SecondaryCaptureImageStorage, *CAPTURES):
            entity.add_supported_context(each)
        handlers = [(evt.EVT_C_STORE, self._stored)]
        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port: int = self._server.server_address[1]

    def _stored(self, event: evt.Event) -> int:
        dataset = event.dataset
        self.objects[dataset.SOPInstanceUID] += 1
        if dataset.Modality == "SR":
            self.reports.setdefault(dataset.StudyInstanceUID, set()).add(dataset.SOPInstanceUID)
        return 0x0000

    def stop(self) -> None:
        """Close its port."""
        self._server.shutdown()


class RunningNode:
    """The node, in a process that can be killed."""

    def __init__(self, spool: Path, archive: Archive, *words: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.spool = spool
        self._words = [sys.executable, "-m", "tumorscope", "dicom-node", "--spool", str(spool)]
        self._words += ["--aet", "NODE", "--port", str(self.port), "--allow", "SENDER"]
        self._words += ["--send-to", f"ARCHIVE@127.0.0.1:{archive.port}", "--threads", "1"]
        self._words += ["--quiet-seconds", "3", *words]
        self._log = spool.with_suffix(".log").open("ab")
        self.start()

    def start(self) -> None:
        """Start it, again on the same spool and port where it ran before."""
        self.process = subprocess.Popen(self._words, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        """End it as the kernel does where memory is short."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as systems do."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def wait(self) -> None:
        """Wait until it listens."""
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise SystemExit("the node does not listen")

    def is_idle(self) -> bool:
        """Whether all that was received is answered, and all answers are delivered."""
        answers = list((self.spool / "answers").iterdir())
        wanted = {snapshot.name for snapshot in self.snapshots()}
        delivered = all((each / "delivered").exists() for each in answers)
        return wanted <= {each.name for each in answers} and delivered

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield what lies in its spool, series by series."""
        for folder in (self.spool / "series").iterdir():
            yield Snapshot(folder.name, tuple(sorted(folder.glob("*.dcm"))))

    def memory(self) -> tuple[float, float]:
        """Return the MB of the process that receives, and of the one that answers."""
        process = psutil.Process(self.process.pid)
        others = sum(child.memory_info().rss for child in process.children(recursive=True))
        return round(process.memory_info().rss / 1e6, 1), round(others / 1e6, 1)


def drawn(*, slices: int = SLICES, edge: int = EDGE) -> list[Dataset]:
    """Return a series of MR images of a ball in noise, as a study of its own."""
    rng = np.random.default_rng()
    uids = [generate_uid() for _ in range(3)]
    rows, columns = np.mgrid[:edge, :edge] - (edge - 1) / 2
    made = []
    for number in range(slices):
        inside = np.hypot(rows, columns) < 0.4 * edge
        values = np.where(inside, rng.normal(500, 60, (edge, edge)), 0).astype(np.uint16)
        made.append(_image(values, number, uids, thickness=120 / slices))
    return made


def _image(
    values: np.ndarray[tuple[int, ...], np.dtype[np.uint16]],
    number: int,
    uids: list[str],
    *,
    thickness: float,
) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = uids
    for name in EMPTY:
        setattr(dataset, name, "")
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "Nobody^Here", "0", "20260101"
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "SE"]
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
    dataset.ImagePositionPatient = [-90, -90, round(number * thickness, 3)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.Rows, dataset.Columns = values.shape
    dataset.PixelSpacing = [180 / len(values)] * 2
    dataset.SliceThickness = thickness
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = values.tobytes()
    return dataset


def send(port: int, datasets: list[Dataset]) -> list[str]:
    """Send over one association; return the UIDs that were acknowledged."""
    entity = AE("SENDER")
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = 30
    association = entity.associate("127.0.0.1", port, ae_title="NODE")
    done: list[str] = []
    try:
        for dataset in datasets:
            if not association.is_established:
                break
            if association.send_c_store(dataset).get("Status") == 0x0000:
                done.append(dataset.SOPInstanceUID)
    except RuntimeError:  # it was killed between two instances
        pass
    finally:
        if association.is_established:
            association.release()
    return done


def send_all(port: int, datasets: list[Dataset]) -> None:
    """Send as archives do: what was not acknowledged, again and again."""
    left = list(datasets)
    while left:
        done = set(send(port, left))
        left = [dataset for dataset in left if dataset.SOPInstanceUID not in done]
        if left:
            time.sleep(0.2)


def kills(folder: Path, number: int) -> dict[str, object]:
    """Kill it at random moments while three senders send, and count."""
    archive = Archive()
    node = RunningNode(folder / "spool", archive)
    node.wait()
    sent: dict[str, set[str]] = {}
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            series = drawn()
            send_all(node.port, series)
            sent[series[0].StudyInstanceUID] = {each.SOPInstanceUID for each in series}

    senders = [threading.Thread(target=load) for _ in range(3)]
    for each in senders:
        each.start()
    chance = random.Random(0)
    for done in range(number):
        if chance.random() < 0.8:  # else it may not even listen yet
            node.wait()
        time.sleep(chance.uniform(0.0, 8.0))
        node.kill()
        node.start()
        if done % 10 == 9:
            print(f"{done + 1} kills, {len(sent)} series", flush=True)
    node.wait()
    over.set()
    for each in senders:
        each.join()
    _until(node.is_idle)
    counted = _counted(node, archive, sent)
    node.stop()
    archive.stop()
    return {"kills": number, **counted}


def _counted(node: RunningNode, archive: Archive, sent: dict[str, set[str]]) -> dict[str, object]:
    """Compare what was acknowledged with what is there, and answers with results."""
    kept = {path.stem for snapshot in node.snapshots() for path in snapshot.paths}
    wanted = {token(uid) for uids in sent.values() for uid in uids}
    answers = [
        (path.parent.name, json.loads(path.read_text()))
        for path in (node.spool / "answers").glob("*/answer.json")
    ]
    whole = Counter(name[:41] for name, each in answers if each["instances"] == SLICES)
    made = sum(each["objects"] for _, each in answers)
    without = sum(whole[snapshot.key] != 1 for snapshot in node.snapshots())
    return {
        "series": len(sent),
        "instances": len(wanted),
        "lost": len(wanted - kept),
        "without_one_result": without,
        "answers_to_part_of_a_series": len(answers) - whole.total(),
        "failed": sum(bool(each["failed"]) for _, each in answers),
        "objects": made,
        "objects_in_archive": len(archive.objects),
        "studies_without_report": len(set(sent) - set(archive.reports)),
        "sent_twice_with_one_uid": sum(count > 1 for count in archive.objects.values()),
    }


def many(folder: Path, number: int) -> list[dict[str, object]]:
    """Send many instances over 20 associations at once, and look at the memory."""
    archive = Archive()
    node = RunningNode(folder / "spool", archive)
    node.wait()
    time.sleep(5)
    records: list[dict[str, object]] = []
    each, rounds = 100, max(1, number // 2000)
    for done in range(rounds):
        series = [drawn(slices=each) for _ in range(20)]
        threads = [threading.Thread(target=send_all, args=(node.port, one)) for one in series]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _until(node.is_idle)
        total = (done + 1) * 20 * each
        kept = sum(len(snapshot.paths) for snapshot in node.snapshots())
        receiving, answering = node.memory()
        records.append(
            {
                "instances": total,
                "lost": total - kept,
                "series": (done + 1) * 20,
                "objects_in_archive": len(archive.objects),
                "rejected": read_status(node.spool).counts["rejected"],
                "receiving_mb": receiving,
                "answering_mb": answering,
            }
        )
        print(records[-1], flush=True)
    node.stop()
    archive.stop()
    return records


def full_disk(folder: Path) -> dict[str, object] | None:
    """Fill the disk of a node, and free it again; None where no disk can be made."""
    disk = folder / "disk"
    disk.mkdir()
    size = f"size={100 << 20}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode != 0:
        return None
    try:
        archive = Archive()
        node = RunningNode(disk / "spool", archive)
        node.wait()
        done = set(send(node.port, drawn()))
        filler = disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(disk).free - 50_000_000))
        refused = SLICES - len(send(node.port, drawn()))
        filler.unlink()
        done |= set(send(node.port, drawn()))
        _until(node.is_idle)
        kept = {path.stem for snapshot in node.snapshots() for path in snapshot.paths}
        node.stop()
        counted = read_status(node.spool).counts["refused_full"]
        archive.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    lost = len({token(uid) for uid in done} - kept)
    return {
        "instances": len(done),
        "lost": lost,
        "refused": refused,
        "refused_with_a700": counted,
        "objects_in_archive": len(archive.objects),
    }


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.2)
    raise SystemExit("it does not come to rest")


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("-o", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    records: list[dict[str, object]] = []
    with _scratch() as folder:
        records.append({"tried": "kills", **kills(folder, arguments.kills)})
        print(records[-1], flush=True)
    with _scratch() as folder:
        found = many(folder, arguments.instances)
        records += [{"tried": "many", **record} for record in found]
    with _scratch() as folder:
        full = full_disk(folder)
        records += [] if full is None else [{"tried": "full disk", **full}]
        print(records[-1], flush=True)
    columns = list(dict.fromkeys(name for record in records for name in record))
    write_csv(arguments.o, columns, records)


if __name__ == "__main__":
    main()
