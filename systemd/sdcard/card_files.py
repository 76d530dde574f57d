"""The files that a site puts on the card: the first-boot kit, and the files in /etc.

The first boot runs the kit, which sets the device up.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path

from edge.service.release_key import RELEASE_KEY
from sdcard.disk_image.entries import Entry, File, Folder, Link
from sdcard.site import CA_PATH, CERT_PATH, KEY_PATH, Site, WifiPart

HERE = Path(__file__).resolve().parent
FIRST_BOOT = HERE.parent / "first-boot"
#: The folder of the kit. Only root may read it: it may contain the hash of a password.
KIT = "/opt/mask-patrol/first-boot"
UNIT = "mask-patrol-first-boot.service"
ETC = "/etc/mask-patrol"
#: The folder with the account of the dashboard at the broker.
DASHBOARD_ETC = "/etc/mask-patrol-dashboard"
#: Turns on the kernel's memory accounting, without which the memory limits of the units have no
#: effect. The firmware of a Raspberry Pi adds cgroup_disable=memory. The last parameter wins, and
#: those of cmdline.txt come after those of the firmware.
MEMORY_ACCOUNTING = "cgroup_enable=memory"
WIFI = "/etc/NetworkManager/system-connections/mask-patrol.nmconnection"


def kit_files(site: Site) -> dict[str, bytes]:
    """Return the small files of the kit by name: the script, and a file for each setting."""
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
    """Return the entries of the kit in the root file system, with its unit."""
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
    """Return content and mode of the files in /etc that need no first boot, by path."""
    found = {f"{ETC}/mask-patrol.toml": (site.configuration.encode(), 0o640)}
    broker = site.file.broker
    credentials = {
        f"{ETC}/credentials/mqtt-username": broker.username,
        f"{ETC}/credentials/mqtt-password": site.broker_password,
        f"{DASHBOARD_ETC}/mqtt-username": broker.dashboard_username,
        f"{DASHBOARD_ETC}/mqtt-password": broker.dashboard_password,
    }
    for path, text in credentials.items():
        if text:
            found[path] = (text.encode(), 0o600)
    if site.release_key:
        found[RELEASE_KEY.as_posix()] = (site.release_key, 0o644)
    if site.ca:
        found[CA_PATH] = (site.ca, 0o644)
    # The daemon's account does not exist yet; the first boot lets it read the following files.
    if site.cert:
        found[CERT_PATH] = (site.cert, 0o600)
    if site.key:
        found[KEY_PATH] = (site.key, 0o600)
    if site.file.wifi.ssid:
        found[WIFI] = (wifi_profile(site.file.wifi).encode(), 0o600)
    return found


def etc_entries(site: Site, hosts: bytes | None) -> list[Entry]:
    """Return the entries in /etc of the root file system; `hosts` is its present /etc/hosts."""
    entries: list[Entry] = [Folder(ETC), Folder(f"{ETC}/credentials", mode=0o700)]
    if site.file.broker.dashboard_username:
        entries.append(Folder(DASHBOARD_ETC, mode=0o700))
    entries += [File(path, content, mode=mode) for path, (content, mode) in etc_files(site).items()]
    name = site.file.hostname
    entries.append(File("/etc/hostname", f"{name}\n".encode()))
    entries.append(File("/etc/hosts", hosts_with(hosts or b"", name)))
    if site.file.wifi.ssid:  # Raspberry Pi OS disables Wi-Fi until it is configured
        state = b"[main]\nNetworkingEnabled=true\nWirelessEnabled=true\n"
        entries.append(File("/var/lib/NetworkManager/NetworkManager.state", state, mode=0o600))
    return entries


def hosts_with(hosts: bytes, name: str) -> bytes:
    """Return /etc/hosts with the device's name at 127.0.1.1."""
    lines = hosts.decode(errors="surrogateescape").splitlines() or ["127.0.0.1\tlocalhost"]
    kept = [line for line in lines if line.split()[:1] != ["127.0.1.1"]]
    return "\n".join([*kept, f"127.0.1.1\t{name}", ""]).encode(errors="surrogateescape")


def wifi_profile(wifi: WifiPart) -> str:
    """Return a connection profile of NetworkManager, as in nm-settings-keyfile(5).

    Bookworm and Trixie both use NetworkManager.
    """
    # The UUID is derived from the SSID, so that two cards for the same network have equal
    # profiles.
    identity = uuid.UUID(hashlib.sha256(wifi.ssid.encode()).hexdigest()[:32], version=4)
    # The bytes are written as numbers, so no character needs escaping.
    ssid = "".join(f"{byte};" for byte in wifi.ssid.encode())
    lines = [
        "[connection]", "id=mask-patrol", f"uuid={identity}", "type=wifi", "autoconnect=true", "",
        "[wifi]", "mode=infrastructure", f"ssid={ssid}", f"hidden={str(wifi.hidden).lower()}", "",
    ]  # fmt: skip
    if wifi.password:
        secret = wifi.password.replace("\\", "\\\\").replace(" ", "\\s")
        lines += ["[wifi-security]", "key-mgmt=wpa-psk", f"psk={secret}", ""]
    return "\n".join([*lines, "[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""])


def command_line_with(text: str, country: str) -> str:
    """Return cmdline.txt with memory accounting turned on.

    If `country` is not empty, the Wi-Fi country is set as well, in the way raspi-config does it.
    """
    regulatory_domain = "cfg80211.ieee80211_regdom="
    parameters = [word for word in text.split() if word != MEMORY_ACCOUNTING]
    if country:
        parameters = [word for word in parameters if not word.startswith(regulatory_domain)]
    parameters.append(MEMORY_ACCOUNTING)
    if country:
        parameters.append(f"{regulatory_domain}{country}")
    return " ".join(parameters) + "\n"
