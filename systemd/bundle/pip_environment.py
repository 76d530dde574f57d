"""The environment for pip: only those settings of the user that say where packages come from.

A pip.conf or a variable such as PIP_TARGET can also say where packages go (`user`, `target`,
`prefix`, `root`), or forbid what the project needs (`no-index`, `no-deps`, `require-hashes`), and
an install into a virtual environment fails then, or ends elsewhere. `pip --isolated` would ignore
the package index and the proxy as well.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from bundle.errors import BundleError

#: Settings that are kept: where packages come from, how to reach them, and pip's cache.
KEPT = (
    *("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "cert", "client-cert"),
    *("timeout", "default-timeout", "retries", "resume-retries", "keyring-provider"),
    *("cache-dir", "no-cache-dir", "prefer-binary", "constraint"),
)
#: Kept only with `find-links`: without both, pip would find no package at all.
NO_INDEX = "no-index"
#: Sections of the settings, each of which replaces values of those before it.
SECTIONS = ("global", "install", ":env:")


def pip_environment() -> dict[str, str]:
    """Return the environment to run pip in; raises BundleError if the settings cannot be read.

    They are read with pip's own module: `pip config list` takes the setting `user = true` as its
    option `--user`, and shows only a part of the settings then.
    """
    try:
        configuration: Any = importlib.import_module("pip._internal.configuration").Configuration
        settings = configuration(isolated=False)
        settings.load()
    except Exception as error:  # pip has an error of its own for each kind of mistake in the files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(f"the settings of pip cannot be read: {reason}") from None

    def value_of(name: str) -> str | None:
        try:
            return str(settings.get_value(name))
        except Exception:  # pip's error for a setting that does not exist
            return None

    return restricted(os.environ, value_of)


def restricted(
    environment: Mapping[str, str], value_of: Callable[[str], str | None]
) -> dict[str, str]:
    """Return `environment` with those of pip's settings that are kept, and no files of settings.

    `value_of` returns the value of a setting such as `global.index-url`, or None.
    """
    kept = {}
    for name in (*KEPT, NO_INDEX):
        values = (value_of(f"{section}.{name}") for section in SECTIONS)
        given = [value for value in values if value]
        if given:
            kept[name] = given[-1]
    if "find-links" not in kept:
        kept.pop(NO_INDEX, None)
    others = {name: value for name, value in environment.items() if not name.startswith("PIP_")}
    return {
        **others,
        **{f"PIP_{name.upper().replace('-', '_')}": value for name, value in kept.items()},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
