"""Imports lgpio without what it leaves behind."""

from __future__ import annotations

import ctypes
import importlib
import os
import tempfile
import threading

#: The flag of unshare(2) that gives the calling thread a current folder of its own.
CLONE_FS = 0x200


def import_lgpio() -> None:
    """Import the module lgpio; raises ImportError if it is missing.

    While lgpio is imported, it creates a named pipe in the current folder, which must be writable,
    and leaves it there. Therefore a thread imports it that has a temporary folder as its own
    current folder. The current folder of all other threads stays as it is.
    """
    failure: list[Exception] = []
    importer = threading.Thread(target=_import, args=(failure,), name="import lgpio")
    importer.start()
    importer.join()
    if failure:
        raise ImportError(str(failure[0])) from None


def _import(failure: list[Exception]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="mask-patrol-") as folder:
            if ctypes.CDLL(None).unshare(CLONE_FS) == 0:
                os.chdir(folder)
            importlib.import_module("lgpio")
    except (ImportError, OSError, AttributeError) as error:  # AttributeError: there is no unshare
        failure.append(error)
