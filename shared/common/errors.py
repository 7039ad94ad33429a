"""Errors as part of the interface: one line that names the file or option and the mend.

Code that finds something wrong with the user's input raises `KerasuiteError` with a full
sentence. `cli.main` prints it on standard error and exits with its code; everything else is
reported as an internal error. A traceback appears only with `--debug`.
"""

import errno

DONE = 0
FAILED = 1
USAGE = 2
SOME_REJECTED = 3


class KerasuiteError(Exception):
    """Something that the user can mend: the message says what is wrong with what, and how."""

    exit_code = FAILED


class UsageError(KerasuiteError):
    """The command line itself is wrong."""

    exit_code = USAGE


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived and the work was left in a state that `--resume` continues.

    Like KeyboardInterrupt no Exception, so that nothing takes it for the fault of an input.

    Args:
        signal_number: int. The signal; the exit code is 128 plus this number.
        message: str. What was saved and how to go on.
    """

    def __init__(self, signal_number: int, message: str):
        super().__init__(message)
        self.exit_code = 128 + signal_number


def from_os_error(error: OSError) -> KerasuiteError:
    """Turns an operating-system error into one line with a mend."""
    mends = {
        errno.ENOSPC: "free some space or choose another --output",
        errno.EFBIG: "it is over the limit of this system or shell; choose another --output",
        errno.EDQUOT: "free some space or choose another --output",
        errno.EACCES: "check the permissions or choose another --output",
        errno.EPERM: "check the permissions or choose another --output",
        errno.EROFS: "it is read-only; choose another --output",
        errno.ENOENT: "check the path",
        errno.ENAMETOOLONG: "the name is too long for this file system; shorten it",
    }
    what = error.strerror or str(error)
    where = f"{error.filename}: " if error.filename else ""
    mend = mends.get(error.errno)
    return KerasuiteError(f"{where}{what}" + (f" ({mend})" if mend else ""))
