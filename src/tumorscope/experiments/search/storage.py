"""Optuna's studies: opened so that a search can continue, with several workers too."""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.common.extras import require
from tumorscope.common.progress import track
from tumorscope.experiments.search.killed import living, repeat_what_was_killed, watched
from tumorscope.records.protocol import Protocol, parse_protocol
from tumorscope.records.reserve import refuse_changes

if TYPE_CHECKING:
    import optuna

IDENTITY = "tumorscope_identity"

PROTOCOL = "tumorscope_protocol"

SAME_AS = "tumorscope_same_as"
"""Attribute of a trial that was not fitted: number of the one with the same parameters."""

HEARTBEAT, GRACE = 30, 90
"""Seconds between signs of life of a running trial, and without one until it counts as dead."""

PATIENCE = 60
"""Seconds to wait for a database that another worker has locked, or a server to answer."""

WAITING = {"pysqlite": "timeout", "psycopg2": "connect_timeout", "psycopg": "connect_timeout"}
"""Driver → its option for that. SQLite would give up after 5 s, and PostgreSQL's wait for ever."""

ATTEMPTS, PAUSE = 20, 0.1
"""How often a worker tries to open a new database while another makes its tables, and the seconds
between."""

OURS = re.compile(r"final|outer-\d+")
"""Names of the studies of a search."""


@contextlib.contextmanager
def database(url: str, *, opening: bool = False) -> Iterator[None]:
    """Turn what goes wrong with the database inside the block into an error with advice.

    Raises
    ------
    InputError
        If the database does not answer, is locked, damaged or read-only; where `opening`, also if
        the URL is none, or its driver is not installed.
    MissingExtraError
        If Optuna is not installed.
    """
    require("tune", to="search for a recipe")
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    # RuntimeError: tables of another version of Optuna.
    also = (ImportError, ValueError, OSError, RuntimeError, LookupError) if opening else ()
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, *also) as error:
        # Optuna's own words do not name the cause.
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        first = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise InputError(
            f"Cannot use the storage {_shown(url)} ({first}). Expected a database such as "
            "sqlite:///study.db or postgresql://user@host/name that answers, is whole and can be "
            "written to. Check the address and that nothing else locks it; where it is damaged, "
            "delete it or give another --storage or -o. Trials finished before are kept in it."
        ) from error


def open_studies(
    url: str,
    names: Sequence[str],
    *,
    protocol: Protocol,
    older: str = "",
    objective: str,
    seed: int,
) -> dict[str, optuna.Study]:
    """Open the studies of a search, or begin them; all or none.

    Studies of another identity in which no trial has run, because the first one failed, give way.

    Parameters
    ----------
    url : str
        Of the database.
    names : sequence of str
        Of the studies: "outer-0" …, "final".
    protocol : Protocol
        Of the search; a database with studies of another is refused.
    older : str
        What versions before it told this search apart by.
    objective : str
        Kept with the studies.
    seed : int
        Of the sampler.

    Raises
    ------
    InputError
        If the database cannot be used, or its studies belong to another search.
    UsageError
        If Optuna is not installed.
    """
    with database(url, opening=True):
        import optuna

        # Failed and interrupted trials would be reported with a traceback, beside our own message.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = _storage(url)
        _make_room(storage, url, protocol, older)
        studies = {name: _study(storage, name, seed) for name in names}
        for study in studies.values():
            study.set_user_attr(IDENTITY, protocol.key)
            study.set_user_attr(PROTOCOL, protocol.model_dump_json())
            study.set_user_attr("objective", objective)
        return studies


def _make_room(
    storage: optuna.storages.RDBStorage, url: str, protocol: Protocol, older: str
) -> None:
    """Delete studies of another search in which nothing ran; refuse where something did."""
    import optuna

    # Before anything is changed: those of all names, as another search may have other folds.
    there = [
        optuna.load_study(study_name=name, storage=storage)
        for name in optuna.get_all_study_names(storage)
        if OURS.fullmatch(name)
    ]
    # Asked once: another worker, which is just beginning this search, may name it meanwhile.
    attributes = [(study, study.user_attrs) for study in there]
    others = [(study, said) for study, said in attributes if not _is_of(said, protocol, older)]
    for study, said in others:
        if _begun(study):
            kept = _protocol_in(said)
            refuse_changes(
                ["what it was begun with"] if kept is None else kept.changes(protocol),
                what=f"The search in the storage {_shown(url)} belongs",
                elsewhere="give another --storage or -o",
            )
    for study, said in others:
        if IDENTITY in said:
            optuna.delete_study(study_name=study.study_name, storage=storage)


def _study(storage: optuna.storages.RDBStorage, name: str, seed: int) -> optuna.Study:
    import optuna

    from tumorscope.experiments.search.sampler import NumberedSampler

    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize",
        load_if_exists=True,
        sampler=NumberedSampler(seed),
        # The first trials show what is usual; later ones end early where they are worse.
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0),
    )


def _is_of(said: Mapping[str, object], protocol: Protocol, older: str) -> bool:
    """Whether a study, by its attributes, belongs to this search.

    A later version may write another key, where a recipe has gained a setting whose default is
    what was done before: the records themselves decide.
    """
    if said.get(IDENTITY) in (protocol.key, older):
        return True
    kept = _protocol_in(said)
    return kept is not None and not kept.changes(protocol)


def _protocol_in(said: Mapping[str, object]) -> Protocol | None:
    """Return what a study was made by; older versions did not write it."""
    text = said.get(PROTOCOL)
    return parse_protocol(str(text), origin="The storage") if text else None


def finished(study: optuna.Study, *, complete: bool = False) -> int:
    """Return how many trials were finished, or with `complete` those that were not pruned."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE,) if complete else (TrialState.COMPLETE, TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def known_loss(trial: optuna.Trial) -> float | None:
    """Return what another trial with the same parameters was worth; None where there is none.

    The trial is marked with the number of the other. It reports nothing on the way, so that the
    median by which others are pruned counts each recipe once.

    Raises
    ------
    optuna.TrialPruned
        If the other was pruned.
    """
    import optuna
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.PRUNED)
    for other in trial.study.get_trials(deepcopy=False, states=states):
        if other.params != trial.params:
            continue
        trial.set_user_attr(SAME_AS, other.user_attrs.get(SAME_AS, other.number))
        if other.state is TrialState.COMPLETE:
            return other.value
        if other.value is not None:
            trial.report(other.value, other.last_step or 0)
        raise optuna.TrialPruned
    return None


def run_trials(
    study: optuna.Study,
    judge: Callable[[optuna.Trial], float],
    *,
    trials: int,
    timeout: float | None,
    label: str,
) -> None:
    """Run trials until the study has as many as wanted, this worker's and others' together.

    Trials that were killed or interrupted are marked as failed and not counted; each is run once
    more, with the values that it had or would have drawn.
    """
    started = time.monotonic()
    with living(study) as worker:
        for _ in track(range(max(0, trials - finished(study))), label):
            if finished(study) >= trials:
                break
            if timeout is not None and time.monotonic() - started > timeout:
                break
            repeat_what_was_killed(study, worker)
            study.optimize(watched(judge, worker), n_trials=1)


def _storage(url: str) -> optuna.storages.RDBStorage:
    """Open a database, and make its tables where it is new; another worker may be making them."""
    from sqlalchemy.exc import DBAPIError, IntegrityError

    for left in reversed(range(ATTEMPTS)):
        try:
            return _opened(url)
        except DBAPIError as error:
            # Optuna looks which tables are missing, and makes them: not in one step.
            at_once = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not at_once or not left:
                raise
            time.sleep(PAUSE)
    raise AssertionError("the last attempt returns or raises")


def _opened(url: str) -> optuna.storages.RDBStorage:
    import optuna
    from sqlalchemy import make_url

    address = make_url(url)
    option = WAITING.get(address.get_driver_name())
    waiting = {option: PATIENCE} if option and option not in address.query else {}
    with warnings.catch_warnings():
        # The heartbeat is "experimental" since 2021.
        warnings.simplefilter("ignore")
        return optuna.storages.RDBStorage(
            url,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            engine_kwargs={"connect_args": waiting},
        )


def _begun(study: optuna.Study) -> bool:
    """Whether a study has trials that ran, or run, and did not fail."""
    return any(
        trial.state.name not in ("FAIL", "WAITING") for trial in study.get_trials(deepcopy=False)
    )


def _shown(url: str) -> str:
    """Return a URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)
