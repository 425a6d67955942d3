"""A connection to Ray: a cluster at an address, or processes on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.words import one_line

if TYPE_CHECKING:
    import ray

LOCAL = "local"
"""The address that starts Ray on this machine, and stops it afterwards."""

SHARED_MEMORY = 256 * 2**20
"""Bytes of Ray's object store on this machine. A model and lists of names go through it, and no
images; by default Ray would take a third of the memory."""


@contextlib.contextmanager
def connected(address: str, *, workers: int | None = None) -> Iterator[ray]:
    """Give the module `ray`, connected; disconnect at the end.

    Where this process is connected already, that connection is used, and left as it is.

    Nothing is reported to Ray's makers (`tumorscope.common.offline`), and a cluster that is started
    here listens on this machine only.

    Parameters
    ----------
    address : str
        Of a cluster, such as "ray://head:10001", "10.0.0.1:6379" or "auto"; or "local".
    workers : int, optional
        With "local": how many processes there may be; one per core by default.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    InputError
        If there is no cluster at that address.
    """
    require("ray", to="spread work over a cluster")
    import ray

    if ray.is_initialized():
        yield ray
        return
    local = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level="error",
            **({**local, "object_store_memory": SHARED_MEMORY} if address == LOCAL else {}),
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        words = one_line(error)
        raise InputError(
            f"Cannot use Ray at {address}: {words or type(error).__name__}. Expected the address "
            "of a running cluster, such as ray://head:10001, or local. Look at it with `ray status "
            "--address ADDRESS`."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
