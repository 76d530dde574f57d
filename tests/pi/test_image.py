"""Boot cards: images of `make image`, and stock cards that `make firstrun` prepared."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sdcard.disk_image.entries import File
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import Partition, read_layout
from sdcard.firstrun import prepare
from sdcard.image import make_image
from sdcard.site import load_site

from tests.pi.cards import boot_partition, disk_with_cloud_init, eject_boot, mount_boot
from tests.pi.device import CONFIG, SETTINGS, UNIT, Listener, bundle, digest
from tests.pi.disk import MEBI, base_disk, copy_disk
from tests.pi.kernel import kernel
from tests.pi.machine import HOST, RELAY_HOST, RELAY_PORT, Machine, wait_for
from tests.pi.roots import BOOKWORM, TRIXIE, Release
from tests.pi.witness import WITNESSED, assert_nothing_lost, wait_committed
from tests.support.footage.visit_clip import FAST_ALERTS, write_visits
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import free_port

PASSWORD = "let-me-in"
FIRST_BOOT_S = 1800
VISITS = 200


@pytest.fixture
def broker(tmp_path: Path) -> Mosquitto:
    """A broker that needs a login."""
    return Mosquitto(tmp_path, password=PASSWORD)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The private SSH key of the user in site.toml; its public key is beside it."""
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def site(tmp_path: Path, key: Path) -> Path:
    """A site.toml with all sections."""
    return write_site(tmp_path / "site.toml", RELAY_HOST, RELAY_PORT)


def write_site(path: Path, host: str, port: int, more: str = "") -> Path:
    """Write a site.toml for a broker at `host`; return its path."""
    path.write_text(f"""
hostname = "door1"
timezone = "Europe/Berlin"
packages = []
user = {{name = "anna", ssh_keys = ["key.pub"]}}
wifi = {{ssid = "Hall 1; ü", password = "pass word 9", country = "DE"}}
broker = {{username = "door", password = "{PASSWORD}"}}
{more}
[daemon]
device = "door1"
[daemon.camera]
source = "demo"
[daemon.mqtt]
host = "{host}"
port = {port}
""")
    return path


def assert_set_up(machine: Machine, site: Path, ssh_port: int) -> None:
    """Check everything that the site configures in the machine."""
    assert machine.run("hostname; grep 127.0.1.1 /etc/hosts").output.split()[0] == "door1"
    assert machine.run(f"systemctl is-enabled {UNIT}; systemctl is-active {UNIT}").code == 0
    assert not machine.run("ls /opt/mask-patrol | grep first-boot || true").output
    assert machine.run("readlink /etc/localtime").output.strip().endswith("Europe/Berlin")
    modes = machine.run(f"stat -c '%a %U' /etc/mask-patrol/credentials/* {CONFIG}").output.split()
    assert modes == ["600", "root", "600", "root", "640", "root"]
    # NetworkManager has read the Wi-Fi profile, although there is no radio.
    show = "nmcli -s -g {} connection show mask-patrol | grep -qxF '{}'"
    machine.run(show.format("802-11-wireless.ssid", "Hall 1; ü"))
    # A busy NetworkManager returns an empty password instead of delaying the reply.
    machine.wait_until(show.format("802-11-wireless-security.psk", "pass word 9"), "the password")
    result = subprocess.run(
        ["ssh", "-i", site.with_name("key"), "-p", str(ssh_port), "-o", "BatchMode=yes",
         "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "ConnectTimeout=120", "anna@127.0.0.1", "sudo -n id -un; whoami"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.stdout.split() == ["root", "anna"], result.stderr


def test_image_boots_to_online_without_a_network(
    release: Release, tmp_path: Path, broker: Mosquitto, site: Path
) -> None:
    out = tmp_path / "card" / "disk.img"
    made = make_image(base_disk(release), load_site(site), bundle(), out)
    assert made.release == release.name
    layout = read_layout(out)
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    port = free_port()
    with Machine(out, kernel(release), only_broker=broker.port, forward_ssh=port) as machine:
        # A power cut interrupts the first boot.
        machine.wait_until("ls /opt/mask-patrol/*/pyvenv.cfg", "the installation has begun")
        machine.kill()
        machine.start()
        wait_for(lambda: listener.count("online") >= 1, "online", FIRST_BOOT_S)
        assert_set_up(machine, site, port)
        machine.power_off()
        machine.start()  # the second boot has nothing to set up
        listener.wait_online(2)
        units = machine.run("systemctl list-units --failed --no-legend --plain").output
        assert not units.strip(), units
        machine.power_off()
    listener.close()
    Ext4(out, layout.root.start_bytes).check()
    Fat(out, layout.boot).check()


@pytest.mark.usefixtures("key")
def test_read_only_root_is_never_written(tmp_path: Path, broker: Mosquitto) -> None:
    more = "storage = {data_mib = 128, read_only = true}"
    site = load_site(write_site(tmp_path / "site.toml", RELAY_HOST, RELAY_PORT, more))
    out = tmp_path / "card" / "disk.img"
    make_image(base_disk(BOOKWORM), site, bundle(), out)
    layout = read_layout(out)
    clip = write_visits(tmp_path / "visits.mp4", VISITS)
    settings = f'{SETTINGS}[camera]\nsource = "/srv/visits.mp4"\n{FAST_ALERTS}'
    Ext4(out, layout.root.start_bytes).write(
        [
            File("/srv/visits.mp4", source=clip),
            File(CONFIG, settings.encode(), mode=0o640),
            File(f"/etc/systemd/system/{UNIT}.d/test.conf", WITNESSED.encode()),
        ]
    )
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    with Machine(out, kernel(BOOKWORM), only_broker=broker.port, on=False) as machine:

        def start() -> None:
            line = (Fat(out, layout.boot).read("cmdline.txt") or b"").decode()
            line = re.sub(r"\b(console|root|rootwait)(=\S*)?(?=\s)", "", line)
            machine.start(parameters=line)

        start()
        machine.wait_off()  # the setup is complete, and the device reboots
        before = sums(out, layout.boot, layout.root)
        for cut in range(3):
            start()
            wait_committed(machine, 4)
            found = machine.run(
                "findmnt -no FSTYPE /; findmnt -no FSTYPE /var/lib/mask-patrol;"
                " mask-patrol-read-only; touch /root/mine /boot/firmware/mine;"
                " mask-patrol update /root/mine",
                check=False,
            ).output
            assert found.split("\n")[:3] == [
                "overlay", "ext4", "The root is read-only: changes are lost at the next boot.",
            ]  # fmt: skip
            assert "'/boot/firmware/mine': Read-only file system" in found
            assert "sudo mask-patrol-read-only off" in found
            # The timer saves the time only once an hour, so start the service that saves it.
            machine.run("systemctl is-active mask-patrol-clock.timer")
            machine.run("systemctl start mask-patrol-clock && sync")
            if cut == 1:
                broker.stop()
                wait_committed(machine, 4, "events are queued")
            machine.kill()
            assert sums(out, layout.boot, layout.root) == before
            if cut == 1:
                broker.start()
        start()
        machine.run(f"! test -e /root/mine && systemctl stop {UNIT} && mask-patrol-read-only off")
        assert_nothing_lost(machine, listener)
        machine.power_off()
        start()
        assert machine.run("findmnt -no FSTYPE /").output == "ext4\n"
        assert_clock_continues(machine)
        machine.run("mask-patrol-read-only on")
        machine.power_off()
        assert layout.data is not None
        for part in (layout.root, layout.data):
            Ext4(out, part.start_bytes).check()
        # With the data partition destroyed, the daemon runs nevertheless, and reports it.
        with out.open("r+b") as disk:
            disk.seek(layout.data.start_bytes)
            disk.write(bytes(layout.data.size_bytes))
        start()
        assert_missing_partition_is_reported(machine, listener)
    listener.close()


def assert_clock_continues(machine: Machine) -> None:
    """After the clock was set back, the time continues from that of the last write."""
    again = "systemctl stop mask-patrol mask-patrol-data; date -s 2020-01-01; systemctl start"
    years = machine.run(f"date +%Y; {again} mask-patrol-data; date +%Y").output.split()
    assert years[0] == years[-1] != "2020"


def assert_missing_partition_is_reported(machine: Machine, listener: Listener) -> None:
    highest = max(event["seq"] for event in listener.events)
    wait_for(lambda: listener.events[-1]["seq"] > highest, "an event without the partition")
    assert listener.events[-1]["seq"] > 1_000_000_000  # a larger number than any earlier event
    expected = "events are in memory only"
    wait_for(lambda: any(not h["outbox_on_disk"] for h in listener.payloads("health")), expected)
    assert "in MEMORY only" in machine.run("mask-patrol status", check=False).output


def sums(disk: Path, *parts: Partition) -> list[str]:
    """Return the digest of each partition."""
    found = []
    with disk.open("rb") as file:
        for part in parts:
            file.seek(part.start_bytes)
            digest_of = hashlib.blake2b()
            for _ in range(part.size_bytes // MEBI):
                digest_of.update(file.read(MEBI))
            found.append(digest_of.hexdigest())
    return found


def test_image_with_active_cloud_init(tmp_path: Path, broker: Mosquitto, site: Path) -> None:
    base = disk_with_cloud_init(tmp_path)
    boot = Fat(base, read_layout(base).boot)
    boot.write("user-data", b"#cloud-config\n# This image was not customised.\n")
    boot.write("meta-data", b"instance-id: rpios-image\n")
    out = tmp_path / "card" / "disk.img"
    make_image(base, load_site(site), bundle(), out)
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    port = free_port()
    with Machine(out, kernel(TRIXIE), only_broker=broker.port, forward_ssh=port) as machine:
        wait_for(lambda: listener.count("online") >= 1, "online", FIRST_BOOT_S)
        # cloud-init cannot grow the root here, and reports a failure.
        machine.run("cloud-init status --wait >/dev/null || true")
        assert_set_up(machine, site, port)  # the settings of the site replace those of cloud-init
        machine.power_off()
        machine.start()
        listener.wait_online(2)
        assert_set_up(machine, site, port)
        machine.power_off()
    listener.close()


def test_stock_trixie_is_set_up_by_cloud_init(
    tmp_path: Path, broker: Mosquitto, site: Path
) -> None:
    disk = disk_with_cloud_init(tmp_path)
    put_on_boot_partition(disk, tmp_path, "trixie", site)
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    port = free_port()
    with Machine(
        disk, kernel(TRIXIE), only_broker=broker.port, forward_ssh=port, on=False
    ) as machine:
        machine.start()
        wait_for(lambda: listener.count("online") >= 1, "online", FIRST_BOOT_S)
        assert_set_up(machine, site, port)
        # Only the schema is checked: cloud-init fails here because it cannot grow the root.
        output = machine.run("cloud-init schema --system 2>&1", check=False).output
        assert "Valid schema user-data" in output
        assert not machine.run("ls /boot/firmware | grep mask-patrol || true").output
        machine.power_off()
    listener.close()


def test_stock_bookworm_downloads_the_bundle(tmp_path: Path, broker: Mosquitto, site: Path) -> None:
    disk = copy_disk(base_disk(BOOKWORM), tmp_path / "disk.img")
    served = tmp_path / "served"
    served.mkdir()
    (served / "bundle.tar").symlink_to(bundle())
    web = free_port()
    url = f"http://{HOST}:{web}/bundle.tar"
    download = f'download = {{url = "{url}", sha256 = "{digest(bundle())}"}}'
    write_site(site, HOST, broker.port, download)
    put_on_boot_partition(disk, tmp_path, "bookworm", site)
    fat = boot_partition(disk)
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(web), "--bind", "127.0.0.1", "-d", served],
        stderr=subprocess.DEVNULL,
    )
    try:
        with Machine(disk, kernel(BOOKWORM), forward_ssh=port, on=False) as machine:
            line = (fat.read("cmdline.txt") or b"").decode()
            assert "systemd.run=" in line
            parameters = re.sub(r"(console|root|rootwait)\S*", "", line)
            machine.start(up=False, parameters=parameters)
            machine.wait_off()  # the machine reboots when the script has ended
            assert "systemd.run" not in (fat.read("cmdline.txt") or b"").decode()
            assert {"firstrun.sh", "mask-patrol"}.isdisjoint(fat.names())
            machine.start()
            wait_for(lambda: listener.count("online") >= 1, "online", FIRST_BOOT_S)
            assert_set_up(machine, site, port)
            machine.power_off()
    finally:
        server.kill()
        server.wait()
    listener.close()


def put_on_boot_partition(disk: Path, folder: Path, release: str, site: Path) -> None:
    """Copy what `make firstrun` writes to the boot partition of the disk."""
    boot = mount_boot(disk, folder)
    prepare(boot, release, load_site(site), bundle())
    eject_boot(disk, boot)


def test_image_contains_added_packages(tmp_path: Path, broker: Mosquitto, site: Path) -> None:
    try:
        socket.create_connection(("deb.debian.org", 80), 5).close()
    except OSError:
        pytest.skip("deb.debian.org cannot be reached")
    site.write_text(site.read_text().replace("packages = []", 'packages = ["v4l-utils"]'))
    out = tmp_path / "card" / "disk.img"
    made = make_image(base_disk(TRIXIE), load_site(site), bundle(), out)
    assert made.debs >= 2
    broker.start()
    listener = Listener(broker, "door", PASSWORD)
    with Machine(out, kernel(TRIXIE), only_broker=broker.port) as machine:
        wait_for(lambda: listener.count("online") >= 1, "online", FIRST_BOOT_S)
        assert "v4l2" in machine.run("v4l2-ctl --version 2>&1").output
        assert machine.run("dpkg --audit").output == ""
    listener.close()
