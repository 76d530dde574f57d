"""`site.toml`, the description of a device that a card is made for.

`site.example.toml` explains every line.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import tomli_w

from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, decode_text, require_single_bytes, without_mark
from edge.config.settings import Settings, load_settings
from edge.config.toml_schema import Section, load_toml, text_rule
from edge.service.release_key import parse_keys

HostName = Annotated[
    str,
    text_rule(
        r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z",
        "at most 63 letters from A to Z or a to z, digits and hyphens, with a "
        'letter or a digit at both ends, such as "door-1"',
    ),
]
#: The user names that Raspberry Pi OS accepts.
UserName = Annotated[
    str,
    text_rule(
        r"^[a-z][a-z0-9-]{0,31}\Z",
        "at most 32 small letters from a to z, digits and hyphens, beginning "
        'with a letter, such as "pi"',
    ),
]
TimeZone = Annotated[
    str,
    text_rule(
        r"^([A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2})?\Z",
        'the name of a time zone, such as "Europe/Berlin"',
    ),
]
Country = Annotated[
    str, text_rule(r"^([A-Z]{2})?\Z", 'a country as two capital letters, such as "DE"')
]
#: The hash of a password in the format of crypt(5), as `openssl passwd -6` prints it.
PasswordHash = Annotated[
    str,
    text_rule(
        r"^(\$[A-Za-z0-9]+\$[A-Za-z0-9./$=,-]+)?\Z",
        "the hash of a password, as `openssl passwd -6` prints it",
    ),
]
Package = Annotated[
    str, text_rule(r"^[a-z0-9][a-z0-9.+-]+\Z", 'the name of a Debian package, such as "vim"')
]
Line = Annotated[
    str, text_rule(r"^[^\x00-\x1f\x7f]*\Z", "one line without control characters", 1024)
]
#: Smallest and largest size of the data partition in MiB. The smallest one has space for
#: `outbox.max_events` events and some snapshots.
DATA_MIB = (128, 65536)
DataSize = Annotated[int, msgspec.Meta(ge=0, le=DATA_MIB[1])]
Sha256 = Annotated[
    str,
    text_rule(
        r"^([0-9a-f]{64})?\Z", "64 hexadecimal digits in small letters, as sha256sum prints them"
    ),
]
#: Names of the system's users and groups, and of the account of Mask Patrol.
RESERVED_NAMES = frozenset(
    {
        "root", "mask-patrol", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news",
        "uucp", "proxy", "www-data", "backup", "list", "irc", "gnats", "nobody", "nogroup", "adm",
        "tty", "disk", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo",
        "audio", "dip", "operator", "src", "shadow", "utmp", "video", "sasl", "plugdev", "staff",
        "users", "crontab", "netdev", "input", "render", "kvm", "sgx", "gpio", "i2c", "spi",
        "lpadmin", "ssh", "sshd", "messagebus", "avahi", "polkitd", "rtkit", "dnsmasq", "tss",
        "uuidd", "colord", "statd", "ntp",
    }
)  # fmt: skip
SSH_KEY = re.compile(
    r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-\S+@openssh\.com) [A-Za-z0-9+/]+=*( .*)?"
)


class UserPart(Section, frozen=True, kw_only=True):
    """The user who logs in by SSH."""

    name: UserName = "pi"
    ssh_keys: tuple[Line, ...] = ()
    password_hash: PasswordHash = ""

    def __repr__(self) -> str:
        return f"UserPart(name={self.name!r}, …)"


class WifiPart(Section, frozen=True, kw_only=True):
    """The wireless network; there is none if `ssid` is empty."""

    ssid: Line = ""
    password: Line = ""
    country: Country = ""
    hidden: bool = False

    def __repr__(self) -> str:
        return f"WifiPart(ssid={self.ssid!r}, …)"


class BrokerPart(Section, frozen=True, kw_only=True):
    """The credentials of the device, and of its dashboard, at the broker."""

    username: Line = ""
    password: Line = ""
    password_file: str = ""
    dashboard_username: Line = ""
    dashboard_password: Line = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return f"BrokerPart(username={self.username!r}, …)"


class DownloadPart(Section, frozen=True, kw_only=True):
    """The URL from which a device downloads the bundle if its card does not contain it."""

    url: Line = ""
    sha256: Sha256 = ""


class StoragePart(Section, frozen=True, kw_only=True):
    """The data partition, and whether the root is read-only."""

    data_mib: DataSize = 0
    read_only: bool = False


class SiteFile(Section, frozen=True, kw_only=True):
    """The content of the file."""

    hostname: HostName
    timezone: TimeZone = ""
    packages: tuple[Package, ...] = ()
    release_key: str = ""
    user: UserPart = UserPart()
    wifi: WifiPart = WifiPart()
    broker: BrokerPart = BrokerPart()
    download: DownloadPart = DownloadPart()
    storage: StoragePart = StoragePart()
    daemon: Settings = Settings()


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `site.toml` and of the files that it names. `repr()` shows no secret."""

    file: SiteFile
    authorized_keys: str
    release_key: bytes
    broker_password: str
    ca: bytes
    cert: bytes
    key: bytes
    configuration: str

    def __repr__(self) -> str:
        return f"Site(hostname={self.file.hostname!r}, …)"


#: Paths on the device: the CA certificates, the device's own certificate, and its key.
CA_PATH = "/etc/mask-patrol/ca.pem"
CERT_PATH = "/etc/mask-patrol/client.pem"
KEY_PATH = "/etc/mask-patrol/client.key"


def load_site(path: Path) -> Site:
    """Read `site.toml` and the files that it names; raises UsageError with a line for each error.

    Relative paths in the file start at its own folder.
    """
    file, raw = load_toml(path, SiteFile, "the site's description")
    errors: list[str] = []
    reader = _Reader(path.parent, errors)
    keys = "".join(f"{line}\n" for line in reader.keys(file.user.ssh_keys))
    release_key = reader.content("release_key", file.release_key)
    password = file.broker.password or reader.text(
        "broker.password_file", file.broker.password_file
    )
    ca = reader.content("broker.ca_file", file.broker.ca_file)
    cert = reader.content("broker.cert_file", file.broker.cert_file)
    key = reader.content("broker.key_file", file.broker.key_file)
    errors += _errors(file, raw, password)
    if release_key and not parse_keys(release_key.decode(errors="replace")):
        errors.append(
            f"`release_key`: {file.release_key} is no public key (its name ends with .pub)"
        )
    errors += _broker_errors(file.broker, cert, key)
    if errors:
        raise UsageError("\n".join(f"{path}: {error}" for error in errors))
    daemon = raw["daemon"]
    own = {"ca_file": (ca, CA_PATH), "cert_file": (cert, CERT_PATH), "key_file": (key, KEY_PATH)}
    for name, (content, target) in own.items():
        if content and not getattr(file.daemon.mqtt, name):
            daemon["mqtt"][name] = target
    configuration = tomli_w.dumps(daemon)
    _require_valid(configuration, path)
    return Site(
        file=file,
        authorized_keys=keys,
        release_key=release_key,
        broker_password=password,
        ca=ca,
        cert=cert,
        key=key,
        configuration=f"# Made from {path.name}; config.example.toml explains every setting.\n"
        + configuration,
    )


def _require_valid(configuration: str, path: Path) -> None:
    """Raise UsageError if the daemon would refuse the combination of settings."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "daemon"
        file.write_text(configuration, encoding="utf-8")
        try:
            load_settings(file)
        except UsageError as error:
            raise UsageError(str(error).replace(str(file), f"{path}: below `daemon`")) from None


def _errors(file: SiteFile, raw: dict[str, Any], password: str) -> list[str]:
    """Return the errors that the check of the types does not find."""
    found = []
    daemon = raw.get("daemon", {})
    if not file.daemon.mqtt.host:
        found.append("`daemon.mqtt.host` is missing: name your broker")
    if not {"source", "source_file"} & daemon.get("camera", {}).keys():
        found.append('`daemon.camera.source` is missing: "picamera2", "/dev/video0", or an address')
    if not file.user.ssh_keys and not file.user.password_hash:
        found.append(
            "no login is possible: set `user.ssh_keys` or `user.password_hash` (openssl passwd -6)"
        )
    if file.user.name in RESERVED_NAMES or file.user.name.startswith("systemd-"):
        found.append(
            f"`user.name`: {file.user.name} is reserved by the system; use another, such as pi"
        )
    found += _wifi_errors(file.wifi)
    found += _storage_errors(file.storage)
    broker = file.broker
    if broker.password and broker.password_file:
        found.append("`broker.password` and `broker.password_file`: set only one of them")
    if password and not (broker.username or file.daemon.mqtt.username):
        found.append("there is a password for the broker but no `broker.username`")
    if broker.dashboard_password and not broker.dashboard_username:
        found.append("`broker.dashboard_password` needs `broker.dashboard_username`")
    if file.download.url and not re.match(r"https?://\S+\Z", file.download.url):
        found.append("`download.url` is not an http:// or https:// address")
    if bool(file.download.url) != bool(file.download.sha256):
        found.append("`download.url` and `download.sha256` must be set together")
    return found


def _broker_errors(broker: BrokerPart, cert: bytes, key: bytes) -> list[str]:
    """Return the errors; `cert` and `key` are the contents of the files, empty if unreadable."""
    found = [
        f"`broker.{name}` is blank, or has surrounding white space, which is not sent: remove it"
        for name in ("username", "password", "dashboard_username", "dashboard_password")
        if (text := getattr(broker, name)) != text.strip()
    ]
    if broker.key_file and not broker.cert_file:
        found.append("`broker.key_file` needs `broker.cert_file`")
    if cert and b"-----BEGIN CERTIFICATE" not in cert:
        found.append("`broker.cert_file` contains no certificate (PEM)")
    if key and b"PRIVATE KEY-----" not in key:
        found.append("`broker.key_file` contains no private key (PEM)")
    if cert and not broker.key_file and b"PRIVATE KEY-----" not in cert:
        found.append("`broker.cert_file` contains no private key: set `broker.key_file` as well")
    return found


def _storage_errors(storage: StoragePart) -> list[str]:
    if 0 < storage.data_mib < DATA_MIB[0]:
        return [f"`storage.data_mib` must be 0 or at least {DATA_MIB[0]}"]
    if storage.read_only and not storage.data_mib:
        return [
            "`storage.read_only` needs `storage.data_mib`: the events need a writable partition"
        ]
    return []


def _wifi_errors(wifi: WifiPart) -> list[str]:
    found = []
    if not wifi.ssid:
        if wifi.password or wifi.hidden:
            found.append("`wifi.ssid` is missing")
        return found
    if len(wifi.ssid.encode()) > 32:
        found.append("`wifi.ssid` is longer than 32 bytes")
    if not wifi.country:
        found.append('`wifi.country` is missing, such as "DE": without it, Wi-Fi stays off')
    is_raw_key = re.fullmatch(r"[0-9A-Fa-f]{64}", wifi.password)
    if wifi.password and not is_raw_key and not 8 <= len(wifi.password.encode()) <= 63:
        found.append("`wifi.password` must have 8 to 63 characters (or 64 hexadecimal digits)")
    return found


class _Reader:
    """Reads the files that a site names; a file that cannot be read is added to `errors`."""

    def __init__(self, folder: Path, errors: list[str]) -> None:
        self._folder = folder
        self._errors = errors

    def content(self, setting: str, name: str) -> bytes:
        """Return the file's content without a byte-order mark; empty if it cannot be read."""
        if not name:
            return b""
        path = self._folder / os.path.expanduser(name)  # noqa: PTH111 - Path's raises
        try:
            content = without_mark(path.read_bytes())
            require_single_bytes(content)
        except (OSError, EncodingError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._errors.append(f"`{setting}`: cannot read {path}: {reason}")
            return b""
        if not content.strip():
            self._errors.append(f"`{setting}`: {path} is empty")
        return content

    def text(self, setting: str, name: str) -> str:
        try:
            return decode_text(self.content(setting, name)).strip()
        except EncodingError as error:
            self._errors.append(f"`{setting}`: cannot read {name}: {error}")
            return ""

    def keys(self, named: tuple[str, ...]) -> list[str]:
        """Return the public keys; each of `named` is a key or the name of a file."""
        lines = []
        for entry in named:
            if SSH_KEY.fullmatch(entry):
                lines.append(entry)
                continue
            if " " in entry or not entry:
                self._errors.append(
                    "`user.ssh_keys`: an entry is neither a public key nor a file name"
                )
                continue
            text = self.text("user.ssh_keys", entry)
            keys = [line for line in text.splitlines() if SSH_KEY.fullmatch(line.strip())]
            if text and not keys:
                self._errors.append(
                    f"`user.ssh_keys`: {entry} contains no public key (their names end with .pub)"
                )
            lines += [line.strip() for line in keys]
        return lines
