from __future__ import annotations

import pytest

from edge.common.machine_names import MachineNames


@pytest.mark.parametrize(
    ("machine", "reachable"),
    [
        (MachineNames("door1", "192.0.2.7", True), ("door1.local", "192.0.2.7")),
        (MachineNames("door1", "192.0.2.7", False), ("192.0.2.7",)),
        (MachineNames("door1", "", True), ("door1.local",)),
        (MachineNames("door1", "", False), ("door1",)),
        (MachineNames("door1.example.org", "192.0.2.7", True), ("door1.example.org", "192.0.2.7")),
    ],
)
def test_names_for_other_machines_are_those_that_lead_here(
    machine: MachineNames, reachable: tuple[str, ...]
) -> None:
    assert machine.reachable() == reachable


def test_this_machine_has_a_name() -> None:
    assert MachineNames.of_this_machine().reachable()
