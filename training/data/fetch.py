"""`python -m training dataset`: fetch public data sets into data/, or say how to by hand."""

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
from training.data.catalogue import PUBLIC_DATA_SETS, PublicDataSet, catalogue_lines
from training.data.datasets import LABELS, read_dataset

#: A download that writes nothing for so long has lost its connection. Kaggle's client
#: itself waits for ever.
STALL_TIMEOUT_S = 60.0
#: Kaggle's answers to a client without an account, or one that has not agreed to the terms.
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
    """List the data sets, or fetch the named ones one after the other."""
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
        raise UsageError(f"no data set is called {name}; there are {names}")
    return found


def fetch(data: PublicDataSet, out: Path, patience_s: float = STALL_TIMEOUT_S) -> str:
    """Download `data` below `out`, all or nothing, and read it; says what it holds.

    What is there already is not fetched again. Raises UserError saying how to do it by
    hand when it cannot be had.
    """
    folder = data.path(out)
    if folder.exists():
        return f"{folder} is there already (delete it to fetch it anew): {_contents(data, out)}"
    if data.kaggle is None:
        raise UserError(f"{data.name} is not on Kaggle: {_manual_instructions(data, out)}")
    partial = out / f".{data.name}.part"
    try:
        _download(data, out, partial, patience_s)
        partial.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return f"{folder}: {_contents(data, out)}; licence: {data.licence}"


def _download(data: PublicDataSet, out: Path, partial: Path, patience_s: float) -> None:
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
        except BaseException as error:  # whatever it is, the thread that waits reports it
            failed.append(error)

    worker = threading.Thread(target=work, daemon=True)  # one that hangs must not outlive us
    last_written_ns = _last_written_ns(partial)
    worker.start()
    while worker.is_alive():
        worker.join(patience_s)
        now = _last_written_ns(partial)
        if worker.is_alive() and now == last_written_ns:
            raise UserError(
                f"{data.name}: nothing came from Kaggle for {patience_s:g} s; try again, or"
                f" {_manual_instructions(data, out)}"
            )
        last_written_ns = now
    if failed:
        raise UserError(
            f"{data.name}: {_failure_reason(failed[0])}; {_manual_instructions(data, out)}"
        ) from None


def _last_written_ns(folder: Path) -> int:
    """When something below `folder` was last added or grew; 0 while it does not exist.

    Folders tell of new files; of files only those at the top are asked, where the archive
    grows: an unpacked set has hundreds of thousands.
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
            f"Kaggle wants an account that agreed to the set's terms (answer {status}): put a token"
            " from kaggle.com/settings into ~/.kaggle/"
        )
    if "ConnectionError" in kinds or "Timeout" in kinds:
        return "Kaggle cannot be reached: no network, or a proxy is not set"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"Kaggle's client failed: {type(error).__name__}: {first[:160]}"


def _manual_instructions(data: PublicDataSet, out: Path) -> str:
    return f"by hand: get it from {data.url} and unpack it into {data.path(out)}/ ({data.layout})"


def _contents(data: PublicDataSet, out: Path) -> str:
    found = read_dataset(data.path(out), LABELS[max(LABELS)])
    counts = Counter(sample.label for sample in found.samples)
    by_label = ", ".join(f"{counts[label]} {label}" for label in LABELS[3] if counts[label])
    return f"{len(found.samples)} faces ({by_label}); {data.use(out)}"
