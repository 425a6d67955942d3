"""What connections must follow that are encrypted, and whose ends know each other."""

from __future__ import annotations

import ssl
from pathlib import Path

Own = tuple[Path, Path]
"""PEM files of a certificate and its key."""


def tls_for_callers(own: Own, authorities: Path | None) -> ssl.SSLContext:
    """Return what connections that come in must follow.

    Parameters
    ----------
    own : (Path, Path)
        Of this node.
    authorities : Path, optional
        PEM file of those who certify callers; a certificate is then required of each.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*own)
    if authorities is not None:
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def tls_to_receiver(own: Own | None, authorities: Path) -> ssl.SSLContext:
    """Return what connections that go out must follow; the other side's name is checked.

    Parameters
    ----------
    own : (Path, Path), optional
        Shown where the other side asks for it.
    authorities : Path
        PEM file of those who certify the other side.
    """
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if own is not None:
        context.load_cert_chain(*own)
    return context
