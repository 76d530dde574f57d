"""Secrets that are read from files: systemd's credentials, and files that settings name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.common.errors import UserError
from edge.common.text_files import EncodingError, read_text

#: systemd sets this variable to the directory of the credentials that it loads with LoadCredential=
#: (systemd.exec(5)).
DIRECTORY_VARIABLE = "CREDENTIALS_DIRECTORY"
#: systemd puts this prefix, which our unit defines, before the names of credentials that it loads
#: from a directory.
DIRECTORY_PREFIX = "mask-patrol_"


def systemd_credential(environment: Mapping[str, str], name: str, content: str) -> str:
    """Return the credential that systemd loaded as `name`, empty if there is none.

    `content` says in error messages what the credential contains. Raises UserError when the
    credential cannot be read or is empty.
    """
    directory = environment.get(DIRECTORY_VARIABLE)
    if not directory:
        return ""
    for path in (Path(directory, name), Path(directory, DIRECTORY_PREFIX + name)):
        if path.exists():
            return read_secret(f"the credential {name}", path, content)
    return ""


def read_secret(description: str, path: Path, content: str) -> str:
    """Return the file's text without surrounding white space.

    Raises UserError, whose message names the file by `description` and what it must contain by
    `content`, if there is no such text. No message contains the text.
    """
    try:
        text = read_text(path).strip()
    except OSError as error:
        raise UserError(f"cannot read {description}: {error.strerror}") from None
    except EncodingError as error:
        raise UserError(f"cannot read {description}: {error}") from None
    if not text:
        raise UserError(f"{description} is empty: write {content} into it")
    return text
