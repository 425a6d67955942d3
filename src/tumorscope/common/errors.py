"""The errors that tumorscope raises on purpose, each with the exit code of its kind.

A message is one paragraph: what was received, what was expected, what to do.
"""


class TumorscopeError(Exception):
    """Base of every error that is raised on purpose; the command line prints its message."""

    exit_code = 1


class UsageError(TumorscopeError):
    """An option or argument does not fit (exit code 2)."""

    exit_code = 2


class InputError(TumorscopeError):
    """The input cannot be used: nothing readable, an invalid manifest or recipe (exit code 3)."""

    exit_code = 3


class UnreadableImageError(InputError):
    """One file is not an image that can be read; a batch records it and goes on.

    Parameters
    ----------
    message : str
        Which file, why, and what to do.
    why : str
        The same without the file's name.
    final : bool
        Whether another try ends alike; not where memory did not suffice.
    """

    def __init__(self, message: str, *, why: str = "", final: bool = True) -> None:
        super().__init__(message)
        self.why = why or message
        self.final = final


class OutputError(TumorscopeError):
    """Results cannot be written: the folder is read-only, or the disk is full (exit code 3)."""

    exit_code = 3


class HonestyError(TumorscopeError):
    """Refused, because the result would mislead: seen images, divided groups (exit code 5)."""

    exit_code = 5


class SurroundingsError(TumorscopeError):
    """Something around the program cannot be used: a setting, a library, a folder (exit code 3)."""

    exit_code = 3
