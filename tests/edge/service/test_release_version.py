"""The order of versions."""

from __future__ import annotations

import itertools

import pytest

import edge
from edge.common.errors import UserError
from edge.service.release_version import require_not_older

ASCENDING = ("0.1.0a1", "0.1.0b1", "0.1.0rc1", "0.1.0rc10", "0.1.0", "0.1.1", "0.2", "0.10", "1")


def test_older_version_is_refused() -> None:
    for older, newer in itertools.combinations(ASCENDING, 2):
        require_not_older(f"{newer}+0a", older)
        with pytest.raises(UserError, match="is older than"):
            require_not_older(older, f"{newer}+0a")


def test_builds_of_one_version_have_no_order() -> None:
    require_not_older("1.0+bb", "1.0.0+aa")
    require_not_older("1.0.0+aa", "1.0+bb")


@pytest.mark.parametrize("versions", [("x", "1"), ("1", "x"), ("1.0-2", "1")])
def test_unknown_order_is_refused(versions: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="--allow-downgrade"):
        require_not_older(*versions)


def test_own_version_can_be_compared() -> None:
    require_not_older(edge.__version__, "0.1.0")
