#!/bin/sh
# Installs Mask Patrol from the bundle that this file lies in, or takes it away again.
# Run again, it changes nothing; a newer bundle's takes the place of the older version.
set -eu
umask 022

PREFIX=/opt/mask-patrol
ETC=/etc/mask-patrol
STATE=/var/lib/mask-patrol
# The dashboard's, as systemd keeps those of accounts that come and go.
DASHBOARD=/var/lib/private/mask-patrol-dashboard
UNITS=/usr/local/lib/systemd/system
JOURNALD=/usr/local/lib/systemd/journald.conf.d
UDEV=/usr/local/lib/udev/rules.d
COMMAND=/usr/local/bin/mask-patrol
SERVICES='mask-patrol.service mask-patrol-dashboard.service mask-patrol-settle.service'
# What mounts the partition for the events, and the first process of a device with a read-only root,
# which cmdline.txt names.
LIB=/usr/local/lib/mask-patrol
OVERLAY=$LIB/overlay-init
READ_ONLY=/usr/local/sbin/mask-patrol-read-only
# What `systemctl edit` makes of an administrator's own wishes.
OWN=/etc/systemd/system
# Is there while something was changed that no restart has brought in yet, whatever came between;
# with the machine, everything starts anew anyway.
UNSTARTED=/run/mask-patrol-unstarted
ACCOUNT=mask-patrol
# The system's own, whatever else is first in PATH: the account must be able to run it.
PYTHON=/usr/bin/python3
# A version takes about 250 MB with its wheels unpacked; twice that leaves room for pip.
NEEDED_MB=500

usage() {
    cat <<'TEXT'
sudo ./install.sh [OPTION…]    install or upgrade
sudo ./install.sh uninstall    take everything away but the configuration and the events
sudo ./install.sh uninstall --purge    those too

  --config FILE    take FILE as the configuration (default: keep the one that is there)
  --deb-dir DIR    install the Debian packages (.deb) in DIR first
  --offline        do not ask apt for anything
  --dashboard      also start the dashboard
  --no-start       enable the service, but do not start it now

Exit codes: 0 fine, 1 something failed, 2 wrong command or configuration.
TEXT
}

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
    warn "$1"
    exit "${2:-1}"
}

# Whether systemd is what runs here; in a chroot it is not, and starts nothing.
booted() { [ -d /run/systemd/system ]; }

# Where the files of a bundle lie: unpacked, or kept in the release that was made of it.
here() { CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P; }

# change: something is about to be changed, and the service is to be started anew for it. Written
# down before it is done: what cuts us off in between must not make the next run believe that all is
# well. `mask-patrol update`, which starts with --activate, keeps a record of its own.
change() {
    changed=yes
    if [ "$recording" = yes ] && booted; then : >"$UNSTARTED"; fi
}

# Whether the running system lacks something that lies on the disk.
pending() { [ "$changed" = yes ] || [ -e "$UNSTARTED" ] || reload_needed; }

reload_needed() {
    for unit in $SERVICES; do
        if [ "$(systemctl show --property=NeedDaemonReload --value "$unit" 2>/dev/null)" = yes ]; then
            return 0
        fi
    done
    return 1
}

# Whether a process of ours is there, old or new.
runs() {
    systemctl show --property=MainPID --value mask-patrol.service mask-patrol-dashboard.service |
        grep -q '[1-9]'
}

# put SOURCE TARGET [MODE [GROUP]]: whole or not at all, and only if it differs.
put() {
    if cmp -s "$1" "$2"; then return 0; fi
    change
    mkdir -p "$(dirname "$2")"
    install -m "${3:-644}" "$1" "$2.new"
    # Before it takes the place: whoever may read the one may read the other at any time.
    if [ -n "${4-}" ]; then chown "root:$4" "$2.new"; fi
    mv -f "$2.new" "$2"
}

# link TARGET NAME: the same for a symbolic link.
link() {
    if [ "$(readlink "$2" 2>/dev/null)" = "$1" ]; then return 0; fi
    change
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2.new"
    mv -fT "$2.new" "$2"
}

# What the bundle is for, and whether this machine is that.
require_fitting_machine() {
    [ "$(id -u)" = 0 ] || die "it must be run as root: sudo $0" 2
    command -v systemctl >/dev/null || die "there is no systemd here; Raspberry Pi OS has it"
    [ -x "$PYTHON" ] || die "there is no $PYTHON here: sudo apt install python3"
    tag=$("$PYTHON" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    bits=$("$PYTHON" -c 'import struct; print(8 * struct.calcsize("P"))')
    machine=$(cat "$bundle/MACHINE")
    [ "$(uname -m)/$bits" = "$machine/64" ] ||
        die "this bundle is for a 64-bit system on $machine, this is a $bits-bit one on $(uname -m)"
    [ -f "$bundle/requirements-$tag.txt" ] ||
        die "this bundle has no wheels for $("$PYTHON" --version); it has: $(
            cd "$bundle/wheels" && echo ./*
        )"
}

# On the overlay of ours nothing that is done lasts, and what is taken away is back.
refuse_read_only_root() {
    if grep -qwF "init=$OVERLAY" /proc/cmdline && root_is_overlay; then
        die "the root is read-only: sudo mask-patrol-read-only off, start again, and then this"
    fi
}

warn_of_overlay() {
    if root_is_overlay; then
        warn "the root is an overlay: what is installed now may be gone after the next start"
    fi
}

root_is_overlay() { [ "$(findmnt --noheadings --output FSTYPE / 2>/dev/null)" = overlay ]; }

require_whole_bundle() {
    say "Checking the bundle …"
    (cd "$bundle" && sha256sum --check --quiet --strict SHA256SUMS) ||
        die "the bundle is damaged: copy it to this machine again"
}

install_debs() {
    say "Installing the packages in $1 …"
    set -- "$1"/*.deb
    [ -e "$1" ] || die "--deb-dir holds no .deb" 2
    DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold --skip-same-version "$@" >/dev/null ||
        die "dpkg could not install them: dpkg --configure -a says why"
}

# install_picamera2 SETTINGS: it comes from apt alone, and only Raspberry Pi OS has it. For who uses
# it, and for who has not chosen a camera yet.
install_picamera2() {
    case $fresh$1 in
    no*source=picamera2* | yes*) ;;
    *) return 0 ;;
    esac
    if "$PYTHON" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("picamera2"))'; then
        return 0
    fi
    if [ "$offline" = yes ] || ! command -v apt-get >/dev/null; then return 0; fi
    # A new card has no lists yet, and those of an old one name what is gone.
    apt_knows_picamera2 || apt-get update -qq || true
    if ! apt_knows_picamera2; then
        say "apt has no python3-picamera2: cameras by USB or network work without it"
        return 0
    fi
    say "Installing python3-picamera2 from apt …"
    if apt_picamera2 || { apt-get update -qq && apt_picamera2; }; then
        change # what runs has looked for it in vain
    else
        warn "apt could not install python3-picamera2; other cameras work without it"
    fi
}

apt_knows_picamera2() { apt-cache show python3-picamera2 >/dev/null 2>&1; }

apt_picamera2() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        python3-picamera2 >/dev/null
}

make_account() {
    getent passwd "$ACCOUNT" >/dev/null || {
        say "Making the account $ACCOUNT …"
        change
        useradd --system --user-group --home-dir "$STATE" --no-create-home \
            --shell /usr/sbin/nologin --comment 'Mask Patrol' "$ACCOUNT"
    }
    if getent group video >/dev/null && ! id -nG "$ACCOUNT" | tr ' ' '\n' | grep -qx video; then
        change
        usermod --append --groups video "$ACCOUNT"
    fi
}

# The version beside any others, complete or not there.
make_release() {
    release=$PREFIX/$(cat "$bundle/VERSION")
    if [ -e "$release/.complete" ]; then return 0; fi
    mkdir -p "$PREFIX"
    free_mb=$(df --output=avail -m "$PREFIX" | tail -n 1 | tr -d ' ')
    [ "$free_mb" -ge "$NEEDED_MB" ] ||
        die "$PREFIX has $free_mb MB free, and a version needs $NEEDED_MB: make room"
    say "Installing $(cat "$bundle/VERSION") into $release (a minute or two on a Pi) …"
    change
    rm -rf "$release"
    # Without pip: what brings it (python3-venv) need not be there, and nothing is asked of it later.
    "$PYTHON" -m venv --without-pip --system-site-packages "$release"
    pip=$(echo "$bundle/wheels/$tag"/pip-*.whl)
    "$release/bin/python" "$pip/pip" --isolated --quiet \
        --disable-pip-version-check --no-input install --no-cache-dir --no-index --no-deps \
        --ignore-installed --require-hashes --find-links "$bundle/wheels/$tag" \
        --requirement "$bundle/requirements-$tag.txt" ||
        die "the wheels could not be installed (see above)"
    kept=$release/share/mask-patrol
    mkdir -p "$kept"
    cp -R "$bundle/units" "$bundle/storage" "$bundle/install.sh" "$bundle/README.md" "$bundle/config.example.toml" \
        "$bundle/VERSION" "$bundle/MACHINE" "$kept"
    "$release/bin/mask-patrol" --version >/dev/null || die "what was installed does not run"
    # A power cut may leave half a version, but none that says it is whole.
    sync
    touch "$release/.complete"
    sync
}

# make_configuration [FILE]: what is there stays, unless FILE is given. Ends with 2, and nothing
# switched, when this version cannot take it. Sets `settings`, and `fresh`: it is the example.
make_configuration() {
    mkdir -p "$ETC"
    install -d -m 700 "$ETC/credentials"
    config=$ETC/mask-patrol.toml
    if [ -n "${1-}" ]; then
        settings_of "$1" >/dev/null || exit 2
        if [ -e "$config" ] && ! cmp -s "$1" "$config"; then
            say "The old configuration is kept as $config.old"
            cp -p "$config" "$config.old"
        fi
        put "$1" "$config" 640 "$ACCOUNT"
    elif [ ! -e "$config" ]; then
        fresh=yes
        put "$release/share/mask-patrol/config.example.toml" "$config" 640 "$ACCOUNT"
    fi
    # A camera's address may hold a password. Where the dashboard may write to the folder, a link
    # there could lead to any file of root's: its rights are whoever's who made it.
    if [ ! -L "$config" ]; then
        chown "root:$ACCOUNT" "$config"
        chmod 640 "$config"
    fi
    settings=$(settings_of "$config") ||
        die "nothing was switched: mend $config, then run this again" 2
}

# settings_of FILE: `host=…` and `source=…` of a configuration; fails with what is wrong.
settings_of() {
    "$release/bin/python" -P - "$1" <<'PYTHON'
import sys
from pathlib import Path

from edge.config.settings import load_settings
from edge.common.errors import UserError

try:
    settings = load_settings(Path(sys.argv[1]))
except UserError as error:
    sys.exit(f"install.sh: {error}")
print(f"host={settings.mqtt.host}\nsource={settings.camera.source}")
PYTHON
}

# Make the release that this file lies in, or the one just made, the one that runs: its units, then
# `current`. The one before it stays as `previous`.
activate() {
    kept=$release/share/mask-patrol
    [ -e "$release/.complete" ] || die "$release is not whole"
    for unit in "$kept"/units/*.service "$kept"/units/*.timer; do
        if [ -e "$unit" ]; then put "$unit" "$UNITS/${unit##*/}"; fi
    done
    # Growing delays between starts: only systemd 254 and later know them.
    backoff=$UNITS/mask-patrol.service.d/backoff.conf
    if [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge 254 ]; then
        put "$kept/units/backoff.conf" "$backoff"
    else
        rm -f "$backoff"
    fi
    put "$kept/units/journald.conf" "$JOURNALD/50-mask-patrol.conf"
    put "$kept/units/mask-patrol.rules" "$UDEV/60-mask-patrol.rules"
    # Versions of before have none of it; what is there serves them as well.
    if [ -d "$kept/storage" ]; then
        put "$kept/storage/overlay-init" "$OVERLAY" 755
        put "$kept/storage/mount-data" "$LIB/mount-data" 755
        put "$kept/storage/mask-patrol-read-only" "$READ_ONLY" 755
    fi
    link "$PREFIX/current/bin/mask-patrol" "$COMMAND"
    now=$(readlink "$PREFIX/current" 2>/dev/null || true)
    if [ "$now" != "${release##*/}" ]; then
        if [ -n "$now" ] && [ -e "$PREFIX/$now/.complete" ]; then link "$now" "$PREFIX/previous"; fi
        link "${release##*/}" "$PREFIX/current"
    fi
    sync
    if booted && pending; then tell_system; fi
}

# The units, the journal's bounds and the rules are others now.
tell_system() {
    systemctl daemon-reload
    systemctl try-reload-or-restart systemd-journald.service || true
    if command -v udevadm >/dev/null; then
        # No udev runs in a container, and no LED is there.
        udevadm control --reload 2>/dev/null || true
        udevadm trigger --subsystem-match=leds 2>/dev/null || true
    fi
}

# All versions but the one that runs and the one before it, and what was left half made.
forget_old_releases() {
    for old in "$PREFIX"/*/; do
        old=${old%/}
        if [ -L "$old" ] || [ ! -e "$old/pyvenv.cfg" ]; then continue; fi
        case ${old##*/} in
        "$(readlink "$PREFIX/current")" | "$(readlink "$PREFIX/previous")") ;;
        *) rm -rf "$old" ;;
        esac
    done
}

# start_service [UNIT]: the service, and UNIT; once it runs, nothing is pending any more.
start_service() {
    if [ "$(printf '%s\n' "$settings" | head -n 1)" = host= ]; then
        say "Not started: name your broker (mqtt.host) and your camera (camera.source) in"
        say "$ETC/mask-patrol.toml, then: sudo systemctl enable --now mask-patrol"
        settle_pending
        return 0
    fi
    case $settings in
    *source=picamera2*)
        "$release/bin/python" -c 'import picamera2' 2>/dev/null ||
            warn "camera.source is picamera2, which is not installed: connect the network, run this again"
        ;;
    esac
    for unit in mask-patrol.service mask-patrol-settle.service "$@"; do
        if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" != enabled ]; then
            change
            systemctl enable --quiet "$unit"
        fi
    done
    if ! booted; then
        say "Not started now; it starts with the machine."
    elif [ "$start" = no ]; then
        settle_pending
        if [ -e "$UNSTARTED" ]; then
            say "Not started anew: what ran before still runs, until sudo systemctl restart mask-patrol"
        else
            say "Not started now; it starts with the machine."
        fi
    elif pending || ! systemctl is-active --quiet mask-patrol.service; then
        changed=yes
        say "Starting …"
        systemctl restart mask-patrol.service "$@" ||
            die "it does not start: journalctl -u mask-patrol says why"
        if [ $# = 0 ]; then systemctl try-restart mask-patrol-dashboard.service; fi
        rm -f "$UNSTARTED"
    fi
}

# Where nothing runs, nothing old does: whatever starts it later starts it as it is now.
settle_pending() {
    if booted && ! runs; then rm -f "$UNSTARTED"; fi
}

install_all() {
    config_file='' deb_dir='' offline=no start=yes dashboard='' changed=no recording=yes fresh=no
    while [ $# -gt 0 ]; do
        case $1 in
        --config | --deb-dir)
            [ $# -gt 1 ] || die "$1 needs a path" 2
            [ -e "$2" ] || die "$1: there is no $2" 2
            if [ "$1" = --config ]; then config_file=$2; else deb_dir=$2; fi
            shift
            ;;
        --offline) offline=yes ;;
        --no-start) start=no ;;
        --dashboard) dashboard=mask-patrol-dashboard.service ;;
        *) die "unknown option $1; $0 --help lists them" 2 ;;
        esac
        shift
    done
    require_fitting_machine
    refuse_read_only_root
    warn_of_overlay
    require_whole_bundle
    if [ -n "$deb_dir" ]; then install_debs "$deb_dir"; fi
    make_account
    make_release
    make_configuration "$config_file"
    install_picamera2 "$settings"
    if [ -n "$dashboard" ] && ! "$release/bin/mask-patrol" dashboard --help >/dev/null 2>&1; then
        die "--dashboard: this version has none" 2
    fi
    activate
    # Who installs by hand has decided: a trial that was cut off is none any more.
    rm -f "$PREFIX/trial"
    # shellcheck disable=SC2086 # empty is no argument
    start_service $dashboard
    forget_old_releases
    if [ "$changed" = no ]; then say "Nothing to change: ${release##*/} is installed."; else
        say "Done: ${release##*/}. mask-patrol status shows how it is."
    fi
}

uninstall() {
    case $#${1-} in
    0 | 1--purge) ;;
    *) die "uninstall takes --purge or nothing, not $*; $0 --help says more" 2 ;;
    esac
    [ "$(id -u)" = 0 ] || die "it must be run as root: sudo $0 uninstall" 2
    refuse_read_only_root
    alone
    # A device whose first process is gone does not start.
    if [ -x "$READ_ONLY" ] && [ -e /boot/firmware/cmdline.txt ]; then
        "$READ_ONLY" off >/dev/null || die "the read-only root cannot be turned off (see above)"
    fi
    # shellcheck disable=SC2086 # these are words
    remove_units $SERVICES
    partition=$(findmnt --noheadings --output SOURCE --mountpoint "$STATE" 2>/dev/null || true)
    if [ "${1-}" = --purge ]; then
        for data in "$ETC" "$STATE" "$DASHBOARD"; do
            if [ -e "$data" ]; then find "$data" -mindepth 1 -delete; fi
        done
    fi
    # The account goes; its number may be given to another one.
    for data in "$ETC" "$STATE" "$DASHBOARD"; do
        if [ -e "$data" ]; then chown -R root:root "$data"; fi
    done
    remove_units mask-patrol-clock.timer mask-patrol-clock.service mask-patrol-data.service
    rm -f "$JOURNALD/50-mask-patrol.conf" "$UDEV/60-mask-patrol.rules" "$COMMAND"
    rm -rf "$READ_ONLY" "$LIB"
    rm -f "$UNSTARTED"
    rm -rf "$PREFIX" /var/cache/mask-patrol /var/log/mask-patrol /run/mask-patrol
    rmdir "$JOURNALD" "$UDEV" "$UNITS" "${UDEV%/*}" "${UNITS%/*}" 2>/dev/null || true
    if booted; then tell_system; fi
    rm -f "/var/lib/${DASHBOARD##*/}"
    if [ -n "$partition" ]; then
        case ${1-} in
        --purge) say "Left: the partition $partition, which was $STATE and is empty" ;;
        *) say "Left: the events on the partition $partition, which was $STATE" ;;
        esac
    fi
    for data in "$ETC" "$STATE" "$DASHBOARD"; do
        if rmdir "$data" 2>/dev/null || [ ! -e "$data" ]; then continue; fi
        say "Left: $data (sudo rm -r $data, or uninstall --purge, takes it away)"
    done
    if getent passwd "$ACCOUNT" >/dev/null; then userdel "$ACCOUNT"; fi
    for own in "$OWN"/mask-patrol*.service.d; do
        if [ -e "$own" ]; then say "Left: $own, which you made (sudo rm -r $own)"; fi
    done
    say "Left: Debian packages such as python3-picamera2, and in the journal what was logged."
    say "Mask Patrol is uninstalled."
}

# remove_units UNIT…
remove_units() {
    for unit; do
        if booted; then systemctl stop "$unit" 2>/dev/null || true; fi
        systemctl disable --quiet "$unit" 2>/dev/null || true
        rm -rf "${UNITS:?}/$unit" "$UNITS/$unit.d"
    done
}

alone() {
    exec 9>/run/lock/mask-patrol-install.lock
    flock -n 9 || die "another installation is going on: wait for it"
}

main() {
    bundle=$(here)
    case ${1-} in
    -h | --help | help) usage ;;
    uninstall)
        shift
        uninstall "$@"
        ;;
    # For `mask-patrol update`, which holds the lock itself.
    --release-only)
        changed=no recording=no
        require_fitting_machine
        make_release
        ;;
    --activate)
        changed=no recording=no
        release=$(CDPATH='' cd -- "$bundle/../.." && pwd -P)
        activate
        ;;
    *)
        alone
        install_all "$@"
        ;;
    esac
}

main "$@"
exit
