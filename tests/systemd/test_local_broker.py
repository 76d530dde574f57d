"""A first installation on a booted Debian: broker, door and dashboard, and a second door.

The broker is the mosquitto of Debian. The dashboard is opened in a browser on this machine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import cv2
import pytest

from tests.support.dashboard.dashboards import chromium, playwright
from tests.support.dashboard.http_client import PASSWORD
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.multicast_dns import address_of
from tests.support.systemd.bundles import bundle_for
from tests.support.systemd.debian_container import Machine, require_tools
from tests.support.systemd.installed_device import CONFIG
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SUITE = "bookworm"
PATIENCE_S = 240.0
CAMERA = "http://127.0.0.1:8000/frame.jpg"
#: Listening sockets of a machine, as /proc/net/tcp and tcp6 list them.
LISTENING = re.compile(r"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A ", re.MULTILINE)
LOOPBACK = ("0100007F", "00000000000000000000000001000000")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a network of its own, on which a picture stands for the camera."""
    require_tools()
    folder = tmp_path_factory.mktemp("machine")
    packages = ("mosquitto", "openssl", "avahi-daemon")
    machine = Machine(folder / "root", SUITE, packages, private_network=True).boot()
    cv2.imwrite(str(machine.root / "srv/frame.jpg"), frame_at(BARE_S))
    server = "exec python3 -m http.server --directory /srv 8000 >/dev/null 2>&1"
    machine.start("sh", "-c", server)
    # As Debian writes it, and what libnss-mdns does on the doors.
    with (machine.root / "etc/hosts").open("a") as hosts:
        hosts.write("127.0.0.1 localhost door1.local\n")
    yield machine
    machine.remove()


@pytest.fixture(scope="module")
def installer(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> str:
    shutil.copy(bundle_for(SUITE, tmp_path_factory), machine.root / "root/bundle.tar")
    machine.run("tar", "-xf", "/root/bundle.tar", "-C", "/root")
    (found,) = (machine.root / "root").glob("*/install.sh")
    return f"/root/{found.parent.name}/install.sh"


def listening(machine: Machine) -> set[int]:
    """Return the TCP ports that other machines can reach."""
    text = machine.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
    return {int(port, 16) for address, port in LISTENING.findall(text) if address not in LOOPBACK}


def require_alert_in_browser(printed: str, number: str) -> None:
    """Open the dashboard as the installer has printed, and wait for an alert on the page.

    The person was in front of the camera before the installation had ended. `number` is the address
    of the machine, which it must also give for its name by multicast DNS.
    """
    found = re.search(r"(?m)^No password is set yet: open (\S+) and enter the code (\S+)$", printed)
    assert found is not None, printed
    address = "http://door1.local:8080"
    assert found[1] == f"{address}/setup"
    assert f"Dashboard: {address} or http://{number}:8080\n" in printed
    own = number.removesuffix("2") + "1"
    assert address_of("door1.local", own, PATIENCE_S) == number
    known = f"--host-resolver-rules=MAP door1.local {number}"
    with playwright() as driver, chromium(driver, known) as browser:
        page = browser.new_page()
        page.set_default_timeout(1000.0 * PATIENCE_S)
        page.goto(found[1])
        for field, text in (("code", found[2]), ("password", PASSWORD), ("again", PASSWORD)):
            page.fill(f"#{field}", text)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{address}/")
        page.wait_for_function("() => known.online && known.link.connected")
        page.wait_for_selector("#alerts li >> text=no mask")
        page.wait_for_selector("#devices .name:has-text('Tür 1')")


def as_user(folder: str) -> tuple[str, ...]:
    """Return the prefix of a command that uses the credentials in `folder`."""
    read = " ".join(
        f'MASK_PATROL_MQTT_{name}="$(cat {folder}/mqtt-{name.lower()})"'
        for name in ("USERNAME", "PASSWORD")
    )
    return ("sh", "-c", f'{read} exec "$@"', "sh")


def test_two_doors_at_a_broker_of_their_own(machine: Machine, installer: str) -> None:
    address = machine.connect()
    options = (
        "--offline", "--camera", CAMERA, "--broker", "here", "--name", "Tür 1",
        "--dashboard", "network",
    )  # fmt: skip
    printed = machine.run(installer, *options, "--no-start").stdout
    assert re.search(r"fingerprint \(SHA-256\) of its certificate is ([0-9A-F]{2}:){31}", printed)
    assert "Its address is door1.local, port 8883, with TLS and accounts only." in printed
    assert listening(machine) - {8000} == {8883}

    # The account of the dashboard, which reads what both doors publish.
    readable = "/root/alerts"
    alerts = machine.root / readable.lstrip("/")
    alerts.touch()
    command = f"mask-patrol watch --config {CONFIG} >{readable} 2>&1"
    watch = machine.start(*as_user("/etc/mask-patrol-dashboard"), "sh", "-c", command)
    wait_until(lambda: "Watching" in alerts.read_text(), "the reader", PATIENCE_S)
    printed = machine.run(installer, *options).stdout
    require_alert_in_browser(printed, address)
    wait_until(lambda: "door1" in alerts.read_text(), "an alert of door1", PATIENCE_S)

    # The second door does what the command prints; it is another process of this machine.
    lines = machine.run("mask-patrol", "broker", "add", "door2").stdout
    commands = re.search(r"(?ms)^sudo install.*?(?=^2\.)", lines)
    settings = re.search(r"(?ms)^device = .*?\n\n", lines)
    assert commands is not None
    assert settings is not None
    script = commands[0].replace("sudo ", "").replace("/etc/mask-patrol", "/root/door2")
    (machine.root / "root/add.sh").write_text(script)
    machine.run("mkdir", "/root/door2")
    machine.run("sh", "-e", "/root/add.sh")
    text = settings[0].replace("/etc/mask-patrol", "/root/door2")
    (machine.root / "root/door2.toml").write_text(f"{text}[camera]\nsource = '{CAMERA}'\n")
    door2 = machine.start(
        *as_user("/root/door2/credentials"), "env", "STATE_DIRECTORY=/root/door2",
        "mask-patrol", "run", "--config", "/root/door2.toml",
    )  # fmt: skip
    wait_until(lambda: "door2" in alerts.read_text(), "an alert of door2", PATIENCE_S)
    door2.terminate()
    watch.terminate()

    # A third one without an account, and door2 with the topics of door1, are refused.
    for name, user in (("door3", "door3"), ("door1", "door2")):
        own = text.replace('"door2"', f'"{name}"')
        (machine.root / "root/other.toml").write_text(own)
        result = machine.run(
            *as_user("/root/door2/credentials"), "env", f"MASK_PATROL_MQTT_USERNAME={user}",
            "STATE_DIRECTORY=/root/other", "mask-patrol", "check", "--config", "/root/other.toml",
            check=False,
        )  # fmt: skip
        assert result.returncode == 1
        assert re.search(r"(?m)^FAIL +broker", result.stdout), result.stdout

    # A second run changes nothing, and restarts nothing.
    processes = [machine.property("MainPID", unit) for unit in ("mask-patrol", "mosquitto")]
    assert "Nothing to change" in machine.run(installer, *options[:5]).stdout
    assert [machine.property("MainPID", unit) for unit in ("mask-patrol", "mosquitto")] == processes
    assert machine.run("mask-patrol", "broker", "list").stdout.splitlines()[1:] == [
        f"account      {name}" for name in ("dashboard", "door1", "door2")
    ]
    machine.run("mask-patrol", "broker", "remove", "door2")
    result = machine.run("mask-patrol", "broker", "remove", "door2", check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no account door2" in result.stderr

    # After the removal, mosquitto cannot be reached from other machines.
    assert (
        "Left: mosquitto, which other machines cannot"
        in machine.run(installer, "uninstall", "--purge").stdout
    )
    assert listening(machine) - {8000} == set()
    assert not (machine.root / "etc/mosquitto/mask-patrol").exists()
