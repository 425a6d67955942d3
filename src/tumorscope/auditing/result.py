"""What an audit found, as data and in words."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module

from tumorscope.auditing.input_check import InputChecks
from tumorscope.auditing.shortcuts import Shortcut
from tumorscope.cohort.file_names import SharedPrefixes
from tumorscope.cohort.group_from import Grouping
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import FLAGS
from tumorscope.imaging.passed_over import PassedOver


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. Paths are as in the manifest.

    Attributes
    ----------
    manifest : Manifest
        Every file, readable or not, with groups and flags.
    unreadable : dict of str to str
        Path → why it cannot be read.
    exact_duplicates : tuple of tuple of str
        Sets of files with the same bytes.
    copies : tuple of tuple of str
        Sets of images that show one picture, byte for byte or not.
    groups : dict of str to tuple of str
        Group → its readable images. Copies of one picture share a group, and so do images that
        the manifest given had in one group already.
    label_conflicts : dict of str to tuple of str
        Group → copies of one picture that carry both labels. A patient with images of both labels
        is not a conflict.
    tumour_type_conflicts : dict of str to tuple of str
        Group → copies of one picture that are filed under several tumour types.
    overlap : dict of str to list of str
        Path → files of other cohorts that show the same picture.
    shortcuts : tuple of Shortcut
        Empty where probes were not asked for.
    classes : dict of str to dict of str to int
        "tumour" and "no tumour" → numbers of readable ``images`` and of ``groups``.
    against : dict of str to PassedOver
        Other cohort → what of its folder was not looked at, and so not compared.
    input_checks : InputChecks or None
        Which images are perhaps not brain MRI; None where no model was asked.
    compared_by_bytes : tuple of str
        Images of other cohorts that are gone, changed or broken, but whose hash is known: a copy
        that was saved again is not found.
    not_compared : tuple of str
        Images of other cohorts whose hash is not even known.
    grouping : Grouping or None
        What the rule for groups did, where one was given.
    shared_prefixes : SharedPrefixes or None
        File names that look like patients, where nobody said who they are.
    """

    manifest: Manifest
    unreadable: dict[str, str]
    exact_duplicates: tuple[tuple[str, ...], ...]
    copies: tuple[tuple[str, ...], ...]
    groups: dict[str, tuple[str, ...]]
    label_conflicts: dict[str, tuple[str, ...]]
    tumour_type_conflicts: dict[str, tuple[str, ...]]
    overlap: dict[str, list[str]]
    shortcuts: tuple[Shortcut, ...]
    classes: dict[str, dict[str, int]]
    against: dict[str, PassedOver] = field(default_factory=dict)
    input_checks: InputChecks | None = None
    compared_by_bytes: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    grouping: Grouping | None = None
    shared_prefixes: SharedPrefixes | None = None

    @property
    def incomplete(self) -> bool:
        """Whether files that look like scans were not looked at, of this cohort or of others."""
        others = sum(passed.scans for passed in self.against.values())
        blind = self.compared_by_bytes or self.not_compared
        return bool(self.unreadable or self.manifest.notes.passed_over.scans or others or blind)

    @property
    def flags(self) -> dict[str, int]:
        """Number of images with each flag, in the order of `FLAGS`; those of no image included."""
        counts = Counter(flag for row in self.manifest.rows for flag in row.flags)
        return {flag: counts[flag] for flag in FLAGS}

    def to_json(self) -> dict[str, object]:
        """Return plain values: the content of ``audit.json``."""
        return {
            "images": len(self.manifest),
            "readable": len(self.manifest.usable),
            "group_count": len(self.groups),
            "classes": self.classes,
            "groups_parted": self.manifest.divided_groups(),
            "groups_joined": [list(names) for names in self.manifest.joined],
            "group_from": self.grouping.to_json() if self.grouping else None,
            "shared_prefixes": self.shared_prefixes.to_json() if self.shared_prefixes else None,
            "flags": self.flags,
            "label_conflicts": {name: list(paths) for name, paths in self.label_conflicts.items()},
            "tumour_type_conflicts": {
                name: list(paths) for name, paths in self.tumour_type_conflicts.items()
            },
            "overlap": self.overlap,
            "compared_by_bytes": list(self.compared_by_bytes),
            "not_compared": list(self.not_compared),
            "shortcuts": [shortcut.to_json() for shortcut in self.shortcuts],
            "unreadable": self.unreadable,
            "input_check": self.input_checks.to_json() if self.input_checks else None,
            **self.manifest.notes.to_json(),
            "passed_over_against": {
                name: passed.to_json() for name, passed in self.against.items()
            },
            "exact_duplicates": [list(paths) for paths in self.exact_duplicates],
            "copies": [list(paths) for paths in self.copies],
            "groups": {name: list(paths) for name, paths in self.groups.items()},
        }

    def words(self) -> list[str]:
        """Return what was left out, taken for patients, or is to be looked at, in sentences.

        .. deprecated:: 0.2
           Use `tumorscope.auditing.sentences.on_audit`.
        """
        return self._said("words", "on_audit")

    def words_on_groups(self) -> list[str]:
        """Return what was said of groups, and what file names tell of them, in sentences.

        .. deprecated:: 0.2
           Use `tumorscope.auditing.sentences.on_groups`.
        """
        return self._said("words_on_groups", "on_groups")

    def blind_words(self) -> list[str]:
        """Return which images of other cohorts were not looked at, in sentences.

        .. deprecated:: 0.2
           Use `tumorscope.auditing.sentences.on_blind`.
        """
        return self._said("blind_words", "on_blind")

    def _said(self, former: str, function: str) -> list[str]:
        """Return what a function of `tumorscope.auditing.sentences`, which imports this, says."""
        warnings.warn(
            f"Audit.{former}() is now tumorscope.auditing.sentences.{function}(audit), and will go "
            "in the next version.",
            DeprecationWarning,
            stacklevel=3,
        )
        lines: list[str] = getattr(import_module("tumorscope.auditing.sentences"), function)(self)
        return lines
