"""What goes onto the card for a site: the kit that sets the device up at its first boot, and what
can lie in its place at once."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

from sdcard.disk_image.entries import Entry, File, Folder, Link
from sdcard.site import CA_PATH, CERT_PATH, KEY_PATH, Site, WifiPart

HERE = Path(__file__).resolve().parent
FIRST_BOOT = HERE.parent / "first-boot"
#: Root's alone: it may hold a password's hash.
KIT = "/opt/mask-patrol/first-boot"
UNIT = "mask-patrol-first-boot.service"
ETC = "/etc/mask-patrol"
#: Raspberry Pi's firmware turns the kernel's accounts of memory off, by which the units' bounds are
#: kept; of two such words the later one counts, and cmdline.txt comes after the firmware's.
MEMORY = "cgroup_enable=memory"
WIFI = "/etc/NetworkManager/system-connections/mask-patrol.nmconnection"


def kit_files(site: Site) -> dict[str, bytes]:
    """The small files of the kit, by their names in it: the script, and a file for each setting."""
    file = site.file
    settings = {
        "user": file.user.name,
        "password-hash": file.user.password_hash,
        "authorized_keys": site.authorized_keys,
        "hostname": file.hostname,
        "timezone": file.timezone,
        "wifi-country": file.wifi.country,
        "data-partition": "yes" if file.storage.data_mib else "",
        "read-only": "yes" if file.storage.read_only else "",
    }
    found = {"first-boot.sh": (FIRST_BOOT / "first-boot.sh").read_bytes()}
    for name, text in settings.items():
        if text:
            found[f"settings/{name}"] = f"{text.rstrip()}\n".encode()
    return found


def kit_entries(site: Site, bundle: Path, debs: Sequence[Path]) -> list[Entry]:
    """The kit as it lies in the root file system, with its unit."""
    entries: list[Entry] = [Folder("/opt/mask-patrol"), Folder(KIT, mode=0o700)]
    for name, content in kit_files(site).items():
        mode = 0o755 if name.endswith(".sh") else 0o600
        entries.append(File(f"{KIT}/{name}", content, mode=mode))
    entries.append(File(f"{KIT}/bundle.tar", source=bundle))
    entries += [File(f"{KIT}/debs/{deb.name}", source=deb) for deb in debs]
    entries.append(File(f"/etc/systemd/system/{UNIT}", (FIRST_BOOT / UNIT).read_bytes()))
    wants = "/etc/systemd/system/multi-user.target.wants"
    entries.append(Link(f"{wants}/{UNIT}", f"/etc/systemd/system/{UNIT}"))
    return entries


def etc_files(site: Site) -> dict[str, tuple[bytes, int]]:
    """Content and mode of what lies in /etc from the start, by path."""
    found = {f"{ETC}/mask-patrol.toml": (site.configuration.encode(), 0o640)}
    credentials = {
        "mqtt-username": site.file.broker.username,
        "mqtt-password": site.broker_password,
    }
    for name, text in credentials.items():
        if text:
            found[f"{ETC}/credentials/{name}"] = (text.encode(), 0o600)
    if site.ca:
        found[CA_PATH] = (site.ca, 0o644)
    # The first boot lets the daemon's account read them, which there is none of yet.
    if site.cert:
        found[CERT_PATH] = (site.cert, 0o600)
    if site.key:
        found[KEY_PATH] = (site.key, 0o600)
    if site.file.wifi.ssid:
        found[WIFI] = (wifi_profile(site.file.wifi).encode(), 0o600)
    return found


def etc_entries(site: Site, hosts: bytes | None) -> list[Entry]:
    """The same for the root file system; `hosts` is its /etc/hosts."""
    entries: list[Entry] = [Folder(ETC), Folder(f"{ETC}/credentials", mode=0o700)]
    entries += [File(path, content, mode=mode) for path, (content, mode) in etc_files(site).items()]
    name = site.file.hostname
    entries.append(File("/etc/hostname", f"{name}\n".encode()))
    entries.append(File("/etc/hosts", named_hosts(hosts or b"", name)))
    if site.file.wifi.ssid:  # Raspberry Pi OS keeps its radio off until it is set up
        state = b"[main]\nNetworkingEnabled=true\nWirelessEnabled=true\n"
        entries.append(File("/var/lib/NetworkManager/NetworkManager.state", state, mode=0o600))
    return entries


def named_hosts(hosts: bytes, name: str) -> bytes:
    """/etc/hosts with the device's own name at 127.0.1.1."""
    lines = hosts.decode(errors="surrogateescape").splitlines() or ["127.0.0.1\tlocalhost"]
    kept = [line for line in lines if line.split()[:1] != ["127.0.1.1"]]
    return "\n".join([*kept, f"127.0.1.1\t{name}", ""]).encode(errors="surrogateescape")


def wifi_profile(wifi: WifiPart) -> str:
    """A connection of NetworkManager (nm-settings-keyfile(5)); Bookworm and Trixie both use it."""
    # The same for the same network, so that a second card is the same as the first.
    identity = uuid.UUID(hashlib.sha256(wifi.ssid.encode()).hexdigest()[:32], version=4)
    ssid = "".join(f"{byte};" for byte in wifi.ssid.encode())  # bytes need no escapes
    lines = [
        "[connection]", "id=mask-patrol", f"uuid={identity}", "type=wifi", "autoconnect=true", "",
        "[wifi]", "mode=infrastructure", f"ssid={ssid}", f"hidden={str(wifi.hidden).lower()}", "",
    ]  # fmt: skip
    if wifi.password:
        secret = wifi.password.replace("\\", "\\\\").replace(" ", "\\s")
        lines += ["[wifi-security]", "key-mgmt=wpa-psk", f"psk={secret}", ""]
    return "\n".join([*lines, "[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""])


def command_line_with(text: str, country: str) -> str:
    """cmdline.txt with memory accounted for, and the country of the radio, if there is one, as
    raspi-config sets it."""
    radio = "cfg80211.ieee80211_regdom="
    words = [w for w in text.split() if w != MEMORY and not (country and w.startswith(radio))]
    return " ".join([*words, MEMORY, *([f"{radio}{country}"] if country else [])]) + "\n"
