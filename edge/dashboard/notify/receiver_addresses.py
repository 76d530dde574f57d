"""The addresses of the receivers of a rule, which usually contain a password or a token.

They are read from the environment, else from systemd's credentials, else from the file that the
rule names. They are kept in memory only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.common.errors import UsageError
from edge.common.paths import user_path
from edge.common.secret_files import read_secret, systemd_credential
from edge.config.notify_rule import NotifyRule

#: What the file contains, for messages.
CONTENT = "the address of the receiver, such as ntfys://ntfy.example/topic,"
#: More receivers of one rule are certainly a mistake.
MAX_ADDRESSES = 20


def variable_name(rule: str) -> str:
    """Return the name of the environment variable with the addresses of the rule `rule`."""
    return f"MASK_PATROL_NOTIFY_{rule.upper().replace('-', '_')}"


def find_addresses(
    rules: Sequence[NotifyRule], environment: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the addresses of each rule, by the rule's name; none for a rule with `push`.

    Each line contains one address; empty lines and lines that begin with # are ignored. Raises
    UserError when a file cannot be read or is empty, UsageError for a rule without a receiver. No
    message contains an address.
    """
    return {
        rule.name: () if rule.push else _split(rule.name, _find_text(rule, environment))
        for rule in rules
    }


def _find_text(rule: NotifyRule, environment: Mapping[str, str]) -> str:
    variable, credential = variable_name(rule.name), f"notify-{rule.name}"
    text = environment.get(variable) or systemd_credential(environment, credential, CONTENT)
    if text:
        return text
    if rule.url_file:
        path = user_path(rule.url_file)
        return read_secret(f'`url_file` {path} of the rule "{rule.name}"', path, CONTENT)
    raise UsageError(
        f'the rule "{rule.name}" in [[notify]] has no receiver: set `url_file`, {variable} or the'
        f" credential {credential}, or `push = true`"
    )


def _split(name: str, text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise UsageError(
            f'the rule "{name}" in [[notify]] has no receiver: write {CONTENT} into it'
        )
    if len(found) > MAX_ADDRESSES:
        raise UsageError(
            f'the rule "{name}" in [[notify]] has {len(found)} receivers; the maximum is'
            f" {MAX_ADDRESSES}: make another rule"
        )
    return found
