"""`python -m training dataset`: download public data sets into data/, or say how to get them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from training.data.catalogue import PUBLIC_DATA_SETS, PublicDataSet, catalogue_lines
from training.data.datasets import LABELS, read_dataset

#: If a download writes nothing for this long, its connection is considered lost; Kaggle's client
#: itself has no timeout.
STALL_TIMEOUT_S = 60.0
#: Kaggle's HTTP statuses for a client that has no account, or whose account has not accepted the
#: terms.
REFUSAL_STATUSES = (401, 403)


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training dataset`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"data sets to download: {', '.join(each.name for each in PUBLIC_DATA_SETS)}"
        " (default: list them)",
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="list the data sets with their licences and sources, and download nothing",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder that receives a folder for each data set (default: %(default)s)",
    )
    parser.set_defaults(run=run_dataset, interrupted="stopped; no part of the download was kept")


def run_dataset(options: argparse.Namespace) -> int:
    """List the data sets, or download the given ones one after the other."""
    if options.list or not options.names:
        sys.stdout.write("\n".join(catalogue_lines(options.out)) + "\n")
        return 0
    chosen = [_find_data_set(name) for name in options.names]
    for each in chosen:
        sys.stdout.write(fetch(each, options.out) + "\n")
    return 0


def _find_data_set(name: str) -> PublicDataSet:
    found = next((each for each in PUBLIC_DATA_SETS if each.name == name), None)
    if found is None:
        names = ", ".join(each.name for each in PUBLIC_DATA_SETS)
        raise UsageError(f"there is no data set {name}; the data sets are {names}")
    return found


def fetch(data: PublicDataSet, out: Path, timeout_s: float = STALL_TIMEOUT_S) -> str:
    """Download `data` below `out`, all or nothing, and return a line that says what it contains.

    An existing folder is not downloaded again. Raises UserError, with instructions for a manual
    download, if the download fails or the data set is not on Kaggle.
    """
    folder = data.path(out)
    if folder.exists():
        return f"{folder} exists already (delete it to download again): {_contents(data, out)}"
    if data.kaggle is None:
        raise UserError(f"{data.name} is not on Kaggle: {_manual_instructions(data, out)}")
    partial = out / f".{data.name}.part"
    try:
        _download(data, out, partial, timeout_s)
        partial.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {write_problem(error)}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return f"{folder}: {_contents(data, out)}; licence: {data.licence}"


def _download(data: PublicDataSet, out: Path, partial: Path, timeout_s: float) -> None:
    try:
        import kagglehub
    except ImportError:
        raise UserError(
            f"{data.name}: kagglehub is missing (pip install kagglehub);"
            f" {_manual_instructions(data, out)}"
        ) from None
    failed: list[BaseException] = []

    def work() -> None:
        try:
            kagglehub.dataset_download(data.kaggle, output_dir=str(partial), force_download=True)
        except BaseException as error:  # the waiting thread reports any kind of error
            failed.append(error)

    # a daemon thread, so that a download that hangs does not keep the process alive
    worker = threading.Thread(target=work, daemon=True)
    last_written_ns = _last_written_ns(partial)
    worker.start()
    while worker.is_alive():
        worker.join(timeout_s)
        now = _last_written_ns(partial)
        if worker.is_alive() and now == last_written_ns:
            raise UserError(
                f"{data.name}: no data arrived from Kaggle for {timeout_s:g} s; try again, or"
                f" {_manual_instructions(data, out)}"
            )
        last_written_ns = now
    if failed:
        raise UserError(
            f"{data.name}: {_failure_reason(failed[0])}; {_manual_instructions(data, out)}"
        ) from None


def _last_written_ns(folder: Path) -> int:
    """Return when something below `folder` was last added or grew, or 0 if it does not exist.

    A new file changes the modification time of its folder. The modification times of files are read
    only directly in `folder`, where the archive grows, because an unpacked data set has hundreds of
    thousands of files.
    """
    times = [Path(inner).stat().st_mtime_ns for inner, _, _ in os.walk(folder)]
    if folder.is_dir():
        times += [path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()]
    return max(times, default=0)


def _failure_reason(error: Any) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if status in REFUSAL_STATUSES or "UnauthenticatedError" in kinds:
        return (
            "Kaggle requires an account that has accepted the data set's terms (HTTP status"
            f" {status}): put a token from kaggle.com/settings into ~/.kaggle/"
        )
    if "ConnectionError" in kinds or "Timeout" in kinds:
        return "Kaggle cannot be reached: there is no network, or a proxy is not configured"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"Kaggle's client failed: {type(error).__name__}: {first[:160]}"


def _manual_instructions(data: PublicDataSet, out: Path) -> str:
    return (
        f"to get it by hand, download it from {data.url} and unpack it into {data.path(out)}/"
        f" ({data.layout})"
    )


def _contents(data: PublicDataSet, out: Path) -> str:
    found = read_dataset(data.path(out), LABELS[max(LABELS)])
    counts = Counter(sample.label for sample in found.samples)
    by_label = ", ".join(f"{counts[label]} {label}" for label in LABELS[3] if counts[label])
    return f"{len(found.samples)} faces ({by_label}); {data.use(out)}"
