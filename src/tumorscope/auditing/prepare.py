"""A folder or a table → a manifest that can be trained and measured on, with what to know said."""

from __future__ import annotations

from pathlib import Path

from tumorscope.auditing.audit import audit
from tumorscope.auditing.sentences import on_groups
from tumorscope.cohort.copies import settle_copies
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.sentences import on_scan, on_use
from tumorscope.common.progress import say


def prepare_manifest(data: Data) -> Manifest:
    """Return an audited manifest: a folder is audited, a manifest checked against its files.

    Groups that share a picture are joined, and files of a folder are passed over; both is said.

    Raises
    ------
    InputError
        If nothing can be used, or files are missing or changed.
    """
    if isinstance(data, Manifest) or Path(data).suffix.lower() == ".csv":
        manifest = data if isinstance(data, Manifest) else Manifest.load(data)
        manifest.check_files()
        manifest = settle_copies(manifest)
    else:
        found = audit(data, probes=False, input_check=False)
        manifest = found.manifest
        for line in (*on_groups(found), *on_scan(manifest.notes)):
            say(line)
    for line in on_use(manifest):
        say(line)
    return manifest
