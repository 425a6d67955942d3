"""Write which licences the packages have that tumorscope needs, and what their wheels bundle.

    python benchmarks/dependencies.py > docs/reference/dependencies.md

Reads what is installed in this environment, so it is run where all extras are. Packages that only
development needs are left out.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

BUNDLED = {
    "avcodec": "FFmpeg (LGPL-2.1-or-later)",
    "avformat": "FFmpeg (LGPL-2.1-or-later)",
    "avutil": "FFmpeg (LGPL-2.1-or-later)",
    "swscale": "FFmpeg (LGPL-2.1-or-later)",
    "crypto": "OpenSSL 1.1 (OpenSSL and SSLeay licences)",
    "ssl": "OpenSSL 1.1 (OpenSSL and SSLeay licences)",
    "gfortran": "GCC's Fortran library (GPL-3.0 with the runtime exception)",
    "gomp": "GCC's OpenMP (GPL-3.0 with the runtime exception)",
    "quadmath": "GCC's quadmath (LGPL-2.1-or-later)",
    "openblasp": "OpenBLAS (BSD-3-Clause)",
    "scipy_openblas": "OpenBLAS (BSD-3-Clause)",
    "tbb": "oneTBB (Apache-2.0)",
    "hdf5": "HDF5 (BSD-3-Clause)",
    "vpx": "libvpx (BSD-3-Clause)",
    "freetype": "FreeType (FTL)",
}
"""Shared library in a wheel → what it is; the licences that are not as permissive come with duties
for who ships the wheel on, not for who installs it."""

LEFT_OUT = {"dev", "notebook", "all"}
"""Extras that do not run with tumorscope."""

HEAD = """# Dependencies and their licences

What `pip install` brings with tumorscope and its extras (Linux, the versions of
`constraints.txt`), the licence that each package states, and libraries of others that lie in its
wheel, as far as their names tell. tumorscope itself is under Apache-2.0 and ships none of them.

Packages under the MPL-2.0 and libraries under the LGPL are used unchanged; who passes their wheels
on, in a container for example, keeps their licence texts with them. Under the GPL are only GCC's
runtime libraries, with the exception that lets any program use them; nothing is under the AGPL.

Made by `python benchmarks/dependencies.py > docs/reference/dependencies.md`.

| package | version | licence | for | bundles |
|---|---|---|---|---|"""


def licence_of(found: Distribution) -> str:
    """Return the licence that a package states, in few words."""
    about = found.metadata
    stated = {name: str(value) for name, value in about.json.items()}
    if "license_expression" in stated:
        return stated["license_expression"]
    classes = [each for each in about.get_all("Classifier") or [] if each.startswith("License ::")]
    named = [each.rpartition(" :: ")[2] for each in classes if not each.endswith("OSI Approved")]
    return "; ".join(named) or stated.get("license", "see its files").splitlines()[0][:60]


def bundled_in(found: Distribution) -> str:
    """Return what lies in the wheel of a package besides its own code, as far as names tell."""
    names = set()
    for file in found.files or ():
        library = re.match(r"lib([A-Za-z_]+?)(?:64)?_?[-.\d]", file.name)
        if library and ".so" in file.name and library[1] in BUNDLED:
            names.add(BUNDLED[library[1]])
    return ", ".join(sorted(names))


def needed() -> dict[str, set[str]]:
    """Return every package that is installed with tumorscope, and for which extras."""
    found: dict[str, set[str]] = {}
    own = distribution("tumorscope")
    extras = [each for each in own.metadata.get_all("Provides-Extra") or [] if each not in LEFT_OUT]
    for extra in ("", *extras):
        waiting = [("tumorscope", extra)]
        seen = set(waiting)
        while waiting:
            name, asked = waiting.pop()
            for line in distribution(name).requires or ():
                wanted = Requirement(line)
                if wanted.marker and not wanted.marker.evaluate({"extra": asked}):
                    continue
                each = canonicalize_name(wanted.name)
                try:
                    distribution(each)
                except PackageNotFoundError:
                    continue
                if each != "tumorscope":
                    found.setdefault(each, set()).add(extra or "base")
                fresh = {(each, inner) for inner in ("", *wanted.extras)} - seen
                seen |= fresh
                waiting += fresh
    return found


def main() -> None:
    """Print the page."""
    print(HEAD)
    for name, extras in sorted(needed().items()):
        found = distribution(name)
        of = "base" if "base" in extras else ", ".join(sorted(extras))
        licence = licence_of(found).replace("|", "/")
        print(f"| {name} | {found.version} | {licence} | {of} | {bundled_in(found)} |")


if __name__ == "__main__":
    main()
