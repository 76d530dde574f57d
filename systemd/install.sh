#!/bin/sh
# Installs Mask Patrol from the bundle that contains this file, or uninstalls it.
# A second run changes nothing. The install.sh of a newer bundle upgrades to that version.
set -eu
umask 022

PREFIX=/opt/mask-patrol
ETC=/etc/mask-patrol
# The public keys of those whose bundles `mask-patrol update` installs.
RELEASE_KEY=$ETC/release-key.pub
# The dashboard's account at the broker. $ETC/credentials contains that of the daemon, which the
# dashboard must not get.
DASHBOARD_ETC=/etc/mask-patrol-dashboard
# mosquitto's folder: `--broker here` puts a configuration into conf.d, and all else into mask-patrol.
MOSQUITTO=/etc/mosquitto
STATE=/var/lib/mask-patrol
# The dashboard's StateDirectory. systemd keeps the state directories of units with DynamicUser= in
# /var/lib/private.
DASHBOARD=/var/lib/private/mask-patrol-dashboard
UNITS=/usr/local/lib/systemd/system
JOURNALD=/usr/local/lib/systemd/journald.conf.d
UDEV=/usr/local/lib/udev/rules.d
COMMAND=/usr/local/bin/mask-patrol
SERVICES='mask-patrol.service mask-patrol-dashboard.service mask-patrol-screen.service mask-patrol-settle.service'
# The script that mounts the data partition, and the init of a device with a read-only root, which
# cmdline.txt names.
LIB=/usr/local/lib/mask-patrol
OVERLAY=$LIB/overlay-init
READ_ONLY=/usr/local/sbin/mask-patrol-read-only
# Where `systemctl edit` puts the administrator's drop-ins.
DROP_INS=/etc/systemd/system
# This file exists while the service must be restarted because of a change. It is on a tmpfs,
# because the restart is no longer needed after a boot.
RESTART_PENDING=/run/mask-patrol-unstarted
# Only root can open this folder. In /run/lock, every user could create the lock and hold it.
LOCKS=/run/mask-patrol-install
ACCOUNT=mask-patrol
# The system's Python, not the first in PATH: the service's account must be able to run it.
PYTHON=/usr/bin/python3
# A release needs about 250 MB; twice that leaves space for pip's temporary files.
NEEDED_MB=500

usage() {
    cat <<'TEXT'
sudo ./install.sh [OPTION…]    install or upgrade
sudo ./install.sh uninstall    remove everything except the configuration and the data
sudo ./install.sh uninstall --purge    remove these, too

  --camera SOURCE  picamera2, /dev/video0, or the address of a network camera
  --broker here    set up an MQTT broker on this machine (mosquitto, from apt), and use it
  --broker HOST[:PORT]    use this MQTT broker (8883 is the port for TLS)
  --name TEXT      the name of this door for people
  --dashboard      also start the dashboard
  --dashboard network     and let browsers in the network open it, after a log-in
  --screen         also show the screen at the door on the display of this device, from its dashboard
  --screen LINK    the same from another dashboard, on whose page of the device the link was made
  --config FILE    install FILE as the configuration (default: keep the existing one)
  --deb-dir DIR    install the Debian packages (.deb) in DIR first
  --release-key FILE    accept only updates that are signed with this public key (.pub)
  --offline        install nothing with apt
  --no-start       enable the service, but do not start it now

On a terminal, the first installation asks for camera, broker, name and dashboard, unless they are given.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.
TEXT
}

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
    warn "$1"
    exit "${2:-1}"
}

# Whether systemd is running. In a chroot it does not run, and the service cannot be started.
booted() { [ -d /run/systemd/system ]; }

# The folder of this file: an unpacked bundle, or the copy inside a release.
here() { CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P; }

# Call this before each change that needs a restart of the service. It records the restart first, so
# that the next run restarts the service even if this run is interrupted. `mask-patrol update` calls
# this script with --activate, and restarts the service itself.
change() {
    changed=yes
    if [ "$recording" = yes ] && booted; then : >"$RESTART_PENDING"; fi
}

# Prints the name of each further camera: `mask-patrol camera add` has made its settings and the folder
# of its credentials.
cameras() {
    for settings_file in "$ETC"/*.toml; do
        name=${settings_file##*/}
        name=${name%.toml}
        case $name in
        mask-patrol | *[!A-Za-z0-9_-]*) ;;
        *) if [ -d "$ETC/$name.credentials" ]; then echo "$name"; fi ;;
        esac
    done
}

# Prints the unit of each further camera; a name contains no blanks.
camera_units() { cameras | sed 's/.*/mask-patrol@&.service/'; }

# Prints the unit of each further camera that has not been turned off.
used_camera_units() {
    for unit in $(camera_units); do
        if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ] ||
            systemctl is-active --quiet "$unit"; then
            echo "$unit"
        fi
    done
}

# Whether all units in `units` are active.
all_run() {
    for unit in $units; do
        systemctl is-active --quiet "$unit" || return 1
    done
}

# Whether only further cameras are used: somebody has turned off the first one, or never turned it on.
only_further_cameras() {
    [ -n "$(cameras)" ] && [ "$(systemctl is-enabled mask-patrol.service 2>/dev/null)" != enabled ] &&
        ! systemctl is-active --quiet mask-patrol.service
}

# Whether the service must be restarted.
pending() { [ "$changed" = yes ] || [ -e "$RESTART_PENDING" ] || reload_needed; }

reload_needed() {
    for unit in $SERVICES $(camera_units); do
        if [ "$(systemctl show --property=NeedDaemonReload --value "$unit" 2>/dev/null)" = yes ]; then
            return 0
        fi
    done
    return 1
}

# Whether a daemon or the dashboard is running.
runs() {
    # shellcheck disable=SC2046 # one argument per word
    systemctl show --property=MainPID --value mask-patrol.service mask-patrol-dashboard.service \
        $(camera_units) | grep -q '[1-9]'
}

# put SOURCE TARGET [MODE [GROUP]]: replaces TARGET atomically if it differs from SOURCE.
put() {
    if cmp -s "$1" "$2"; then return 0; fi
    change
    mkdir -p "$(dirname "$2")"
    # Whatever has this name is removed, so that a link is not followed.
    rm -rf "$2.new"
    install -T -m "${3:-644}" "$1" "$2.new"
    # The group is set before the rename, so that the group can read TARGET at any time.
    if [ -n "${4-}" ]; then chown "root:$4" "$2.new"; fi
    mv -fT "$2.new" "$2"
}

# link TARGET NAME: replaces the symbolic link NAME atomically if it does not point to TARGET.
link() {
    if [ "$(readlink "$2" 2>/dev/null)" = "$1" ]; then return 0; fi
    change
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2.new"
    mv -fT "$2.new" "$2"
}

# Exits unless the bundle is for this machine and its Python. Sets `tag` and `machine`.
require_supported_machine() {
    [ "$(id -u)" = 0 ] || die "must be run as root: sudo $0" 2
    command -v systemctl >/dev/null || die "this system has no systemd; Raspberry Pi OS has it"
    [ -x "$PYTHON" ] || die "$PYTHON is not installed: sudo apt install python3"
    tag=$("$PYTHON" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    bits=$("$PYTHON" -c 'import struct; print(8 * struct.calcsize("P"))')
    machine=$(cat "$bundle/MACHINE")
    [ "$(uname -m)/$bits" = "$machine/64" ] ||
        die "this bundle is for a 64-bit system on $machine, but this is a $bits-bit system on $(uname -m)"
    [ -f "$bundle/requirements-$tag.txt" ] ||
        die "this bundle has no wheels for $("$PYTHON" --version); it has: $(
            cd "$bundle/wheels" && echo ./*
        )"
}

# With the read-only root, the next boot would undo all changes.
refuse_read_only_root() {
    if grep -qwF "init=$OVERLAY" /proc/cmdline && root_is_overlay; then
        die "the root is read-only: run sudo mask-patrol-read-only off, reboot, and run this again"
    fi
}

warn_about_overlay() {
    if root_is_overlay; then
        warn "the root is an overlay: the installation may be lost at the next boot"
    fi
}

root_is_overlay() { [ "$(findmnt --noheadings --output FSTYPE / 2>/dev/null)" = overlay ]; }

require_intact_bundle() {
    say "Checking the bundle …"
    (cd "$bundle" && sha256sum --check --quiet --strict SHA256SUMS) ||
        die "the bundle is damaged: copy it to this machine again"
}

# require_release_key FILE: exits unless FILE holds public keys of ssh-keygen, and, if this bundle is
# signed, one of them has signed it.
require_release_key() {
    command -v ssh-keygen >/dev/null ||
        die "--release-key: ssh-keygen is not installed: sudo apt install openssh-client"
    # Only comments, empty lines, and lines that begin with the type of a key.
    if grep -Evq '^(#.*|(sk-)?(ssh|ecdsa)-.*|)$' "$1" || ! ssh-keygen -lf "$1" >/dev/null 2>&1; then
        die "--release-key: $1 is not a public key of ssh-keygen: give the file whose name ends in .pub" 2
    fi
    # Beside the folder of the bundle.
    signature=$bundle.sig
    if [ ! -e "$signature" ]; then
        warn "this bundle is not signed; --release-key applies from the next update on"
        return 0
    fi
    say "Checking the signature …"
    ssh-keygen -Y verify -f /dev/fd/3 -I maker -n mask-patrol-release -s "$signature" \
        <"$bundle/SHA256SUMS" 3<<SIGNERS >/dev/null 2>&1 ||
$(sed -n 's/^[a-z].*/maker namespaces="mask-patrol-release" &/p' "$1")
SIGNERS
        die "the key in $1 has not signed this bundle: get the bundle, or the key, from its maker again"
}

# pin_release_key FILE: does not count as a change, as no process needs a restart because of it.
pin_release_key() {
    if cmp -s "$1" "$RELEASE_KEY"; then return 0; fi
    rm -rf "$RELEASE_KEY.new"
    install -T -m 644 "$1" "$RELEASE_KEY.new"
    mv -fT "$RELEASE_KEY.new" "$RELEASE_KEY"
    say "Updates must be signed with: $(ssh-keygen -lf "$RELEASE_KEY" | tr '\n' ' ')"
}

install_debs() {
    say "Installing the packages in $1 …"
    set -- "$1"/*.deb
    [ -e "$1" ] || die "--deb-dir: the folder contains no .deb file" 2
    DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold --skip-same-version "$@" >/dev/null ||
        die "dpkg could not install the packages: dpkg --configure -a shows the reason"
}

# install_picamera2 SETTINGS: installs python3-picamera2 if the configuration uses it, or if no camera
# is configured yet. It is available only from apt, and only in Raspberry Pi OS.
install_picamera2() {
    case $fresh/${MASK_PATROL_SETUP_CAMERA-}/$1 in
    *source=picamera2* | yes//*) ;;
    *) return 0 ;;
    esac
    if "$PYTHON" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("picamera2"))'; then
        return 0
    fi
    if [ "$offline" = yes ] || ! command -v apt-get >/dev/null; then return 0; fi
    # A new system has no package lists yet; old lists may name packages that no longer exist.
    apt_knows_picamera2 || apt-get update -qq || true
    if ! apt_knows_picamera2; then
        say "apt has no python3-picamera2: USB and network cameras work without it"
        return 0
    fi
    say "Installing python3-picamera2 from apt …"
    if apt_picamera2 || { apt-get update -qq && apt_picamera2; }; then
        change # the running daemon could not import picamera2 when it started
    else
        warn "apt could not install python3-picamera2; USB and network cameras work without it"
    fi
}

apt_knows_picamera2() { apt-cache show python3-picamera2 >/dev/null 2>&1; }

apt_picamera2() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        python3-picamera2 >/dev/null
}

# Exits if a desktop has the display, which the screen at the door needs.
require_free_display() {
    if [ "$(systemctl get-default 2>/dev/null)" = graphical.target ] &&
        [ "$(systemctl is-enabled display-manager.service 2>/dev/null)" = enabled ]; then
        die "--screen: this system starts a desktop, which uses the display: turn it off (sudo systemctl set-default multi-user.target, then reboot), or start the browser from it, as \"The screen at the door\" in README.md says" 2
    fi
}

# Installs what the screen at the door needs: a compositor, its access to the display, a browser, and
# fonts. Arabic letters are in fonts-noto-core.
install_screen() {
    set -- cage seatd chromium fonts-noto-core
    case $settings in
    *languages=*zh*) set -- "$@" fonts-noto-cjk ;;
    esac
    missing=''
    for package; do
        if ! dpkg --status "$package" 2>/dev/null | grep -q '^Status: .* installed$'; then
            missing="$missing $package"
        fi
    done
    if [ -z "$missing" ]; then return 0; fi
    if [ "$offline" = yes ]; then
        die "--screen: these packages are not installed:$missing; leave out --offline, or give them with --deb-dir"
    fi
    say "Installing$missing from apt …"
    # shellcheck disable=SC2086 # one argument per word
    apt_screen $missing || { apt-get update -qq && apt_screen $missing; } ||
        die "apt could not install$missing: connect this machine to the network and run this again"
}

apt_screen() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Sets up mosquitto on this machine, for this device and for others, and names it in the configuration.
set_up_broker() {
    host=$(printf '%s\n' "$settings" | sed -n '1s/^host=//p')
    case $host in
    '' | localhost) ;;
    *) die "--broker here: $config names another broker, mqtt.host = \"$host\": remove that line, or leave out --broker" 2 ;;
    esac
    install_mosquitto
    change_settings "$release/bin/mask-patrol" broker setup ||
        die "the broker could not be set up (see above)" "$?"
    settings=$(settings_of "$config") || die "the configuration cannot be read (see above)"
}

# change_settings COMMAND…: runs a command that may change what the daemon and the dashboard read, and
# returns its exit code. The restart is recorded first, in case this run is interrupted.
change_settings() {
    was_pending=yes
    if booted && [ ! -e "$RESTART_PENDING" ]; then
        was_pending=no
        : >"$RESTART_PENDING"
    fi
    before=$(digest_of_settings)
    code=0
    "$@" || code=$?
    if [ "$(digest_of_settings)" != "$before" ]; then
        change
    elif [ "$was_pending" = no ]; then
        rm -f "$RESTART_PENDING"
    fi
    return "$code"
}

digest_of_settings() {
    cat "$config" "$ETC/ca.pem" "$ETC"/credentials/* "$DASHBOARD_ETC"/mqtt-* 2>/dev/null | sha256sum
}

# Writes the answers, which are in the environment, into the configuration.
write_answers() {
    if ! env | grep -q '^MASK_PATROL_SETUP_.*=.'; then return 0; fi
    change_settings "$release/bin/python" -P -m edge.service.first_settings "$config" "$ETC/credentials" \
        "$DASHBOARD_ETC" || exit "$?"
    # Other programs must not get the passwords. That there is an answer is used below.
    unset MASK_PATROL_SETUP_PASSWORD MASK_PATROL_SETUP_DASHBOARD_PASSWORD
    if [ -n "${MASK_PATROL_SETUP_CAMERA-}" ]; then MASK_PATROL_SETUP_CAMERA=written; fi
}

install_mosquitto() {
    if [ -e "$MOSQUITTO/mosquitto.conf" ] && command -v mosquitto >/dev/null &&
        command -v openssl >/dev/null; then
        return 0
    fi
    if [ "$offline" = yes ]; then
        die "--broker here: mosquitto is not installed: leave out --offline, or give its packages with --deb-dir"
    fi
    say "Installing mosquitto from apt …"
    apt_mosquitto || { apt-get update -qq && apt_mosquitto; } ||
        die "apt could not install mosquitto: connect this machine to the network and run this again"
}

apt_mosquitto() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        mosquitto openssl >/dev/null
}

# remove_broker [--purge]: other devices may use the broker, so that only --purge removes it.
remove_broker() {
    if [ ! -e "$MOSQUITTO/conf.d/mask-patrol.conf" ] && [ ! -e "$MOSQUITTO/mask-patrol" ]; then
        return 0
    fi
    if [ "${1-}" != --purge ]; then
        say "Left: the broker, which other devices may use (uninstall --purge removes it)"
        return 0
    fi
    rm -f "$MOSQUITTO/conf.d/mask-patrol.conf"
    rm -rf "$MOSQUITTO/mask-patrol"
    # Without our configuration, mosquitto listens on the loopback interface only.
    if booted; then systemctl try-restart mosquitto.service || true; fi
    say "Left: mosquitto, which other machines cannot reach any more (sudo apt purge mosquitto removes it)"
}

make_account() {
    getent passwd "$ACCOUNT" >/dev/null || {
        say "Creating the account $ACCOUNT …"
        change
        useradd --system --user-group --home-dir "$STATE" --no-create-home \
            --shell /usr/sbin/nologin --comment 'Mask Patrol' "$ACCOUNT"
    }
    if getent group video >/dev/null && ! id -nG "$ACCOUNT" | tr ' ' '\n' | grep -qx video; then
        change
        usermod --append --groups video "$ACCOUNT"
    fi
}

# Installs the release beside existing ones; the file .complete is created last. Sets `release`.
make_release() {
    release=$PREFIX/$(cat "$bundle/VERSION")
    if [ -e "$release/.complete" ]; then return 0; fi
    mkdir -p "$PREFIX"
    # An installation that was interrupted has left a part of the release, which needs space.
    rm -rf "$release"
    free_mb=$(df --output=avail -m "$PREFIX" | tail -n 1 | tr -d ' ')
    [ "$free_mb" -ge "$NEEDED_MB" ] ||
        die "$PREFIX has $free_mb MB free, and a release needs $NEEDED_MB MB: free some space"
    say "Installing $(cat "$bundle/VERSION") into $release (a minute or two on a Pi) …"
    change
    # --without-pip: pip would come from python3-venv, which may not be installed. The pip of the
    # bundle is used instead.
    "$PYTHON" -m venv --without-pip --system-site-packages "$release"
    pip=$(echo "$bundle/wheels/$tag"/pip-*.whl)
    "$release/bin/python" "$pip/pip" --isolated --quiet \
        --disable-pip-version-check --no-input install --no-cache-dir --no-index --no-deps \
        --ignore-installed --require-hashes --find-links "$bundle/wheels/$tag" \
        --requirement "$bundle/requirements-$tag.txt" ||
        die "the wheels could not be installed (see above)"
    kept=$release/share/mask-patrol
    mkdir -p "$kept"
    cp -R "$bundle/units" "$bundle/storage" "$bundle/install.sh" "$bundle/questions.sh" "$bundle/README.md" "$bundle/config.example.toml" \
        "$bundle/VERSION" "$bundle/MACHINE" "$kept"
    "$release/bin/mask-patrol" --version >/dev/null || die "the installed release does not run"
    # The release is synced before .complete is created, so that a power cut cannot leave a partial
    # release that contains .complete.
    sync
    touch "$release/.complete"
    sync
}

# Takes the right to write to the folder of the configuration away from other accounts, who could put
# a link there for root to follow; then the right to read or write the configuration. Earlier
# documentation gave the folder to the group, and an earlier dashboard that saved to the
# configuration owns it.
close_configuration() {
    self=$(stat -c %u /proc/self)
    if [ -n "$(find -H "$ETC" -maxdepth 0 \( ! -uid "$self" -o -perm /022 \) 2>/dev/null)" ]; then
        chown root:root "$ETC"
        chmod go-w,g-s "$ETC"
        say "$ETC: other accounts can no longer write to it. The Camera page of the dashboard needs no such right"
    fi
    # The address of a camera may contain a password, so others must not read the file. The owner and
    # the mode of the target of a link, which the administrator has made, are not changed, nor those of
    # a file with a second name.
    for name in mask-patrol $(cameras); do
        if [ -n "$(find "$ETC/$name.toml" -maxdepth 0 -type f -links 1 2>/dev/null)" ]; then
            chown "root:$ACCOUNT" "$ETC/$name.toml"
            chmod 640 "$ETC/$name.toml"
        fi
    done
}

# refuse_planted PATH…: exits if another account may have put PATH there for root to follow: a link
# that is not root's, a folder that is not root's, or a second name of some other file.
refuse_planted() {
    for path; do
        planted=$(find "$path" -maxdepth 0 \( \( -type l -o -type d \) ! -uid "$self" -o \
            -type f -links +1 -o ! -type l ! -type d ! -type f \) 2>/dev/null || true)
        if [ -n "$planted" ]; then
            die "$path could lead root to a file of others ($(stat -c '%F of %U, link count %h' "$path")): move it away, then run this again" 2
        fi
    done
}

# make_configuration [FILE]: installs FILE, or the example if there is no configuration. Exits with 2
# before anything is switched if the new release refuses the configuration of a camera. Sets `settings`,
# `further_sources` with the sources of further cameras, and `fresh` to yes if the configuration is the
# example.
make_configuration() {
    mkdir -p "$ETC"
    close_configuration
    config=$ETC/mask-patrol.toml
    refuse_planted "$config" "$ETC/credentials" "$ETC"/credentials/*
    if [ ! -L "$ETC/credentials" ]; then install -d -m 700 "$ETC/credentials"; fi
    if [ -n "${1-}" ]; then
        settings_of "$1" >/dev/null || exit 2
        if [ -e "$config" ] && ! cmp -s "$1" "$config"; then
            say "The old configuration is kept as $config.old"
            put "$config" "$config.old" 640 "$ACCOUNT"
        fi
        put "$1" "$config" 640 "$ACCOUNT"
    elif [ ! -e "$config" ]; then
        fresh=yes
        # If this installation fails, the next one must ask again.
        trap 'rm -f "$config"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' HUP TERM
        put "$release/share/mask-patrol/config.example.toml" "$config" 640 "$ACCOUNT"
    fi
    write_answers
    settings=$(settings_of "$config") ||
        die "the new version was not activated: correct $config, then run this again" 2
    for name in $(cameras); do
        refuse_planted "$ETC/$name.toml" "$ETC/$name.credentials" "$ETC/$name.credentials"/*
        more=$(settings_of "$ETC/$name.toml" "$ETC/$name.credentials") ||
            die "the new version was not activated: correct $ETC/$name.toml, then run this again" 2
        further_sources="$further_sources $(printf '%s\n' "$more" | grep '^source=')"
    done
}

# settings_of FILE [CREDENTIALS]: prints `host=…`, `source=…`, `languages=…` (of the screen at the door),
# and `account=daemon` if the dashboard uses the daemon's account at the broker, of a configuration;
# fails with its error. The source is `private` if its address is among the credentials.
settings_of() {
    "$release/bin/python" -P - "$1" "${2-$ETC/credentials}/camera-source" <<'PYTHON'
import sys
from pathlib import Path

from edge.config.settings import load_settings
from edge.common.errors import UserError

try:
    settings = load_settings(Path(sys.argv[1]))
except UserError as error:
    sys.exit(f"install.sh: {error}")
source = "private" if Path(sys.argv[2]).exists() else settings.camera.source
print(f"host={settings.mqtt.host}\nsource={source}")
print("languages=" + " ".join(settings.door_screen.languages))
if settings.mqtt.username and not settings.dashboard.mqtt_username:
    print("account=daemon")
PYTHON
}

# Makes the folder with the dashboard's account at the broker. Until this version the dashboard used
# the daemon's account: a dashboard that was installed with such a version keeps it, by a link, until
# the administrator gives it its own.
make_dashboard_account() {
    if [ -e "$DASHBOARD_ETC" ] || [ -L "$DASHBOARD_ETC" ]; then return 0; fi
    # `mqtt.username` may be in the configuration, so that there is only a file with the password.
    if [ -d "$DASHBOARD" ] &&
        { [ -e "$ETC/credentials/mqtt-username" ] || [ -e "$ETC/credentials/mqtt-password" ]; }; then
        link "$ETC/credentials" "$DASHBOARD_ETC" || warn_about_missing_account
    else
        install -d -m 700 "$DASHBOARD_ETC" || warn_about_missing_account
    fi
}

# mask-patrol-settle.service, which ends an interrupted trial of an update, cannot create files in
# /etc. The dashboard must not prevent it from returning to the release that works.
warn_about_missing_account() {
    warn "$DASHBOARD_ETC cannot be created, without which the dashboard does not start; create it as"
    warn "\"The dashboard's account\" in $release/share/mask-patrol/README.md says"
}

warn_about_shared_account() {
    if [ ! -d "$DASHBOARD" ]; then return 0; fi
    if [ ! -L "$DASHBOARD_ETC" ]; then
        if [ -e "$DASHBOARD_ETC/mqtt-username" ]; then return 0; fi
        case ${settings-} in
        *account=daemon*) ;;
        *) return 0 ;;
        esac
    fi
    warn "the dashboard uses the daemon's account at the broker, which may publish events; to give it"
    warn "its own, see \"The dashboard's account\" in $release/share/mask-patrol/README.md"
}

# Activates `release`: installs its units, then sets the link `current`. `previous` then points to the
# release that was current before.
activate() {
    kept=$release/share/mask-patrol
    [ -e "$release/.complete" ] || die "$release is not complete"
    close_configuration
    for unit in "$kept"/units/*.service "$kept"/units/*.timer; do
        if [ -e "$unit" ]; then put "$unit" "$UNITS/${unit##*/}"; fi
    done
    # Increasing delays between restarts need systemd 254.
    for unit in mask-patrol.service mask-patrol@.service; do
        backoff=$UNITS/$unit.d/backoff.conf
        if [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge 254 ]; then
            put "$kept/units/backoff.conf" "$backoff"
        else
            rm -f "$backoff"
        fi
    done
    put "$kept/units/journald.conf" "$JOURNALD/50-mask-patrol.conf"
    put "$kept/units/mask-patrol.rules" "$UDEV/60-mask-patrol.rules"
    allow_pins
    # Old releases do not contain these files. If an old release is activated, the files of the
    # newer release stay; they also work with old releases.
    if [ -d "$kept/storage" ]; then
        put "$kept/storage/overlay-init" "$OVERLAY" 755
        put "$kept/storage/mount-data" "$LIB/mount-data" 755
        put "$kept/storage/mask-patrol-read-only" "$READ_ONLY" 755
    fi
    make_dashboard_account
    link "$PREFIX/current/bin/mask-patrol" "$COMMAND"
    now=$(readlink "$PREFIX/current" 2>/dev/null || true)
    if [ "$now" != "${release##*/}" ]; then
        if [ -n "$now" ] && [ -e "$PREFIX/$now/.complete" ]; then link "$now" "$PREFIX/previous"; fi
        link "${release##*/}" "$PREFIX/current"
    fi
    sync
    if booted && pending; then reload_system; fi
    warn_about_shared_account
}

# Lets the daemons use the pins of the board, if their settings name any, and no daemon otherwise.
allow_pins() {
    first_pins=$(pins_of mask-patrol) further_pins=none
    for name in $(cameras); do
        case $(pins_of "$name") in
        used) further_pins=used ;;
        unknown) if [ "$further_pins" = none ]; then further_pins=unknown; fi ;;
        esac
    done
    use_drop_in "$first_pins" gpio.conf mask-patrol.service
    use_drop_in "$further_pins" gpio@.conf mask-patrol@.service
    case $first_pins$further_pins in
    *used*)
        if ! getent group gpio >/dev/null; then groupadd --system gpio; fi
        put "$kept/units/gpio.rules" "$UDEV/60-mask-patrol-gpio.rules"
        ;;
    nonenone) rm -f "$UDEV/60-mask-patrol-gpio.rules" ;;
    esac
}

# use_drop_in used|none|unknown FILE UNIT: installs or removes a drop-in.
use_drop_in() {
    case $1 in
    used) put "$kept/units/$2" "$UNITS/$3.d/gpio.conf" ;;
    none)
        if [ -e "$UNITS/$3.d/gpio.conf" ]; then
            change
            rm -f "$UNITS/$3.d/gpio.conf"
        fi
        ;;
    esac
}

# pins_of NAME: prints `used` if the settings of the camera NAME name a pin, `none` if they do not, or
# `unknown` if they cannot be read: then the service reports why.
pins_of() {
    "$release/bin/python" -P - "$ETC/$1.toml" <<'PYTHON' 2>/dev/null || echo unknown
import sys
from pathlib import Path

from edge.config.settings import load_settings

path = Path(sys.argv[1])
outputs = load_settings(path).output if path.exists() else ()
print("used" if any(output.pin is not None for output in outputs) else "none")
PYTHON
}

# Makes systemd, journald, and udev read the installed files.
reload_system() {
    systemctl daemon-reload
    systemctl try-reload-or-restart systemd-journald.service || true
    if command -v udevadm >/dev/null; then
        # In a container, udev does not run.
        udevadm control --reload 2>/dev/null || true
        udevadm trigger --subsystem-match=leds --subsystem-match=gpio 2>/dev/null || true
    fi
}

# Deletes all releases except the current and the previous release, and all incomplete releases.
remove_old_releases() {
    for old in "$PREFIX"/*/; do
        old=${old%/}
        if [ -L "$old" ] || [ ! -e "$old/pyvenv.cfg" ]; then continue; fi
        case ${old##*/} in
        "$(readlink "$PREFIX/current")" | "$(readlink "$PREFIX/previous")") ;;
        *) rm -rf "$old" ;;
        esac
    done
}

# start_service [UNIT]: enables and starts the first camera, starts the others, and starts UNIT.
start_service() {
    first=mask-patrol.service
    if [ -z "$config_file${MASK_PATROL_SETUP_CAMERA-}" ] && only_further_cameras; then
        first=''
    elif [ "$(printf '%s\n' "$settings" | head -n 1)" = host= ]; then
        say "Not started: set your broker (mqtt.host) and your camera (camera.source) in"
        say "$ETC/mask-patrol.toml, then: sudo systemctl enable --now mask-patrol"
        first=''
    elif [ "$broker" = here ] && printf '%s\n' "$settings" | grep -qx source=demo; then
        say "Not started: the camera is the demo clip. Run this again with --camera and your camera, such as"
        say "picamera2 or /dev/video0${dashboard:+, and with --dashboard}"
        first=''
    fi
    units="$first $(used_camera_units)"
    if [ "$units" = ' ' ]; then
        clear_restart_pending
        return 0
    fi
    case $settings$further_sources in
    *source=picamera2*)
        "$release/bin/python" -c 'import picamera2' 2>/dev/null ||
            warn "camera.source is picamera2, which is not installed: connect the device to the network and run this again"
        ;;
    esac
    for unit in $first mask-patrol-settle.service "$@"; do
        if [ "$(systemctl is-enabled "$unit" 2>/dev/null)" != enabled ]; then
            change
            systemctl enable --quiet "$unit"
        fi
    done
    if ! booted; then
        say "Not started now; it starts at the next boot."
    elif [ "$start" = no ]; then
        clear_restart_pending
        if [ -e "$RESTART_PENDING" ]; then
            say "Not restarted: the old process still runs; sudo systemctl restart mask-patrol starts the new one"
        else
            say "Not started now; it starts at the next boot."
        fi
    elif pending || ! all_run; then
        changed=yes
        say "Starting …"
        later=''
        if [ $# != 0 ]; then start_dashboard_first "$1" || later=$1; fi
        # shellcheck disable=SC2086 # one argument per word
        systemctl restart $units $later ||
            die "the service does not start: journalctl -u 'mask-patrol*' shows the reason"
        if [ $# = 0 ]; then systemctl try-restart mask-patrol-dashboard.service; fi
        rm -f "$RESTART_PENDING"
    fi
}

# Enables the screen at the door, and starts it. It starts again by itself while it has no display.
start_screen() {
    if [ "$(systemctl is-enabled "$screen" 2>/dev/null)" != enabled ]; then
        changed=yes
        systemctl enable --quiet "$screen"
    fi
    if ! booted || [ "$start" = no ]; then return 0; fi
    if [ "$changed" = yes ] || ! systemctl is-active --quiet "$screen"; then
        systemctl restart "$screen" ||
            die "the screen does not start: journalctl -u mask-patrol-screen shows the reason"
    fi
}

# If no process runs, no restart is needed: the next start uses the installed files.
clear_restart_pending() {
    if booted && ! runs; then rm -f "$RESTART_PENDING"; fi
}

# Prints what the dashboard has printed at its start: its addresses and, until a password is set, the
# code with which it is set.
show_dashboard() {
    if ! booted || ! systemctl is-active --quiet mask-patrol-dashboard.service; then return 0; fi
    wait_for_dashboard
    say "${lines:-The dashboard prints its address to: sudo journalctl -u mask-patrol-dashboard}"
}

# Waits until the dashboard serves its pages, and sets `lines` to what it has printed.
wait_for_dashboard() {
    waited_s=0 lines=''
    while [ -z "$lines" ] && [ "$waited_s" -lt 60 ]; do
        invocation=$(systemctl show --property=InvocationID --value mask-patrol-dashboard.service)
        [ -n "$invocation" ] || break
        case $(lines_of "$invocation") in
        *'Dashboard: '*)
            sleep 1 # the next lines may follow
            lines=$(lines_of "$invocation")
            ;;
        *)
            sleep 1
            waited_s=$((waited_s + 1))
            ;;
        esac
    done
}

# start_dashboard_first UNIT: starts the dashboard if it has never run, and fails otherwise. The broker
# keeps no events for it until it has connected once, and somebody may be in front of the camera when
# the daemon starts.
start_dashboard_first() {
    if [ -e "$DASHBOARD" ] || systemctl is-active --quiet "$1"; then return 1; fi
    systemctl start "$1" && wait_for_dashboard
}

lines_of() {
    journalctl --quiet --output=cat "_SYSTEMD_INVOCATION_ID=$1" 2>/dev/null |
        grep -E '^(Dashboard: |No password is set|Other machines cannot)' || true
}

install_all() {
    given=$* config_file='' deb_dir='' release_key='' offline=no start=yes dashboard='' screen='' broker='' changed=no recording=yes fresh=no
    further_sources=''
    while [ $# -gt 0 ]; do
        case $1 in
        --config | --deb-dir | --release-key)
            [ $# -gt 1 ] || die "$1 needs a path" 2
            [ -e "$2" ] || die "$1: there is no $2" 2
            case $1 in
            --config) config_file=$2 ;;
            --deb-dir) deb_dir=$2 ;;
            *) release_key=$2 ;;
            esac
            shift
            ;;
        --camera | --broker | --name)
            case ${2--} in
            -* | '') die "$1 needs a value; $0 --help explains it" 2 ;;
            esac
            case $1 in
            --camera) export MASK_PATROL_SETUP_CAMERA="$2" ;;
            --broker) export MASK_PATROL_SETUP_BROKER="$2" ;;
            --name) export MASK_PATROL_SETUP_NAME="$2" ;;
            esac
            shift
            ;;
        --offline) offline=yes ;;
        --no-start) start=no ;;
        --dashboard)
            dashboard=mask-patrol-dashboard.service
            if [ "${2-}" = network ]; then
                export MASK_PATROL_SETUP_DASHBOARD=network
                shift
            fi
            ;;
        --screen)
            screen=mask-patrol-screen.service
            case ${2-} in
            -* | '') dashboard=mask-patrol-dashboard.service ;;
            *)
                export MASK_PATROL_SETUP_SCREEN="$2"
                shift
                ;;
            esac
            ;;
        *) die "unknown option $1; $0 --help lists them" 2 ;;
        esac
        shift
    done
    require_supported_machine
    refuse_read_only_root
    warn_about_overlay
    if [ -n "$screen" ]; then require_free_display; fi
    require_intact_bundle
    if [ -n "$release_key" ]; then require_release_key "$release_key"; fi
    # shellcheck source=/dev/null
    . "$bundle/questions.sh"
    # shellcheck disable=SC2086 # one argument per word
    ask_for_settings $given
    if [ "${MASK_PATROL_SETUP_BROKER-}" = here ]; then broker=here; fi
    if [ -n "${MASK_PATROL_SETUP_DASHBOARD-}" ]; then dashboard=mask-patrol-dashboard.service; fi
    refuse_two_sources_of_settings
    if [ -n "$deb_dir" ]; then install_debs "$deb_dir"; fi
    make_account
    make_release
    make_configuration "$config_file"
    if [ -n "$release_key" ]; then pin_release_key "$release_key"; fi
    if [ -n "$broker" ]; then set_up_broker; fi
    install_picamera2 "$settings$further_sources"
    if [ -n "$dashboard" ] && ! "$release/bin/mask-patrol" dashboard --help >/dev/null 2>&1; then
        die "--dashboard: this release has no dashboard" 2
    fi
    if [ -n "$screen" ]; then
        "$release/bin/mask-patrol" screen --config "$config" >/dev/null || exit 2
        install_screen
    fi
    trap - EXIT INT HUP TERM
    activate
    # A manual installation ends an interrupted trial of `mask-patrol update`.
    rm -f "$PREFIX/trial"
    # shellcheck disable=SC2086 # an empty value must not be an argument
    start_service $dashboard
    if [ -n "$screen" ]; then start_screen; fi
    remove_old_releases
    if [ "$changed" = no ]; then say "Nothing to change: ${release##*/} is installed."; else
        say "Done: ${release##*/}. mask-patrol status shows its state."
    fi
    if [ -n "$dashboard" ] && [ "$start" = yes ]; then show_dashboard; fi
}

# The next run with the same options would write the file again, and restart the service.
refuse_two_sources_of_settings() {
    [ -n "$config_file" ] || return 0
    case ${MASK_PATROL_SETUP_CAMERA-}${MASK_PATROL_SETUP_NAME-}${MASK_PATROL_SETUP_DASHBOARD-}${MASK_PATROL_SETUP_SCREEN-}/${MASK_PATROL_SETUP_BROKER-} in
    / | /here) ;;
    *) die "--camera, --name, --broker HOST, --screen LINK and --dashboard network change the configuration: with --config, write them into $config_file instead" 2 ;;
    esac
}

uninstall() {
    case $#${1-} in
    0 | 1--purge) ;;
    *) die "uninstall takes no argument or --purge, not $*; see $0 --help" 2 ;;
    esac
    [ "$(id -u)" = 0 ] || die "must be run as root: sudo $0 uninstall" 2
    refuse_read_only_root
    lock_installation
    # If cmdline.txt still named the init after the init was deleted, the device would not boot.
    if [ -x "$READ_ONLY" ] && [ -e /boot/firmware/cmdline.txt ]; then
        "$READ_ONLY" off >/dev/null || die "cannot turn off the read-only root (see above)"
    fi
    remove_cameras
    # shellcheck disable=SC2086 # one argument per word
    remove_units $SERVICES
    partition=$(findmnt --noheadings --output SOURCE --mountpoint "$STATE" 2>/dev/null || true)
    if [ "${1-}" = --purge ]; then
        for data in "$ETC" "$DASHBOARD_ETC" "$STATE" "$DASHBOARD"; do
            if [ -e "$data" ]; then find "$data" -mindepth 1 -delete; fi
        done
    fi
    # The account is deleted below, and its UID may be assigned to another account.
    for data in "$ETC" "$DASHBOARD_ETC" "$STATE" "$DASHBOARD"; do
        if [ -e "$data" ]; then chown -R root:root "$data"; fi
    done
    remove_units mask-patrol-clock.timer mask-patrol-clock.service mask-patrol-data.service
    rm -f "$JOURNALD/50-mask-patrol.conf" "$UDEV/60-mask-patrol.rules" \
        "$UDEV/60-mask-patrol-gpio.rules" "$COMMAND"
    rm -rf "$READ_ONLY" "$LIB"
    rm -f "$RESTART_PENDING"
    rm -rf "$PREFIX" /var/cache/mask-patrol /var/log/mask-patrol /run/mask-patrol \
        /run/mask-patrol-cameras
    rmdir "$JOURNALD" "$UDEV" "$UNITS" "${UDEV%/*}" "${UNITS%/*}" 2>/dev/null || true
    if booted; then reload_system; fi
    rm -f "/var/lib/${DASHBOARD##*/}"
    if [ -n "$partition" ]; then
        case ${1-} in
        --purge) say "Left: the partition $partition, which was mounted at $STATE and is empty now" ;;
        *) say "Left: the data on the partition $partition, which was mounted at $STATE" ;;
        esac
    fi
    if [ -L "$DASHBOARD_ETC" ]; then rm -f "$DASHBOARD_ETC"; fi
    remove_broker "$@"
    for data in "$ETC" "$DASHBOARD_ETC" "$STATE" "$DASHBOARD"; do
        if rmdir "$data" 2>/dev/null || [ ! -e "$data" ]; then continue; fi
        say "Left: $data (sudo rm -r $data, or uninstall --purge, deletes it)"
    done
    if getent passwd "$ACCOUNT" >/dev/null; then userdel "$ACCOUNT"; fi
    for drop_in in "$DROP_INS"/mask-patrol*.service.d; do
        if [ -e "$drop_in" ]; then say "Left: your drop-in $drop_in (sudo rm -r $drop_in)"; fi
    done
    say "Left: Debian packages such as python3-picamera2, and the entries in the journal."
    say "Mask Patrol is uninstalled."
}

# Removes the unit of each further camera, also of one whose settings were deleted.
remove_cameras() {
    for link in "$DROP_INS"/*.wants/mask-patrol@*.service; do
        if [ -L "$link" ]; then systemctl disable --quiet "${link##*/}" 2>/dev/null || true; fi
    done
    if booted; then systemctl stop 'mask-patrol@*.service' 2>/dev/null || true; fi
    remove_units mask-patrol@.service
}

# remove_units UNIT…: stops and disables units, and deletes their files and drop-ins.
remove_units() {
    for unit; do
        if booted; then systemctl stop "$unit" 2>/dev/null || true; fi
        systemctl disable --quiet "$unit" 2>/dev/null || true
        rm -rf "${UNITS:?}/$unit" "$UNITS/$unit.d"
    done
}

# Takes the installation lock until this process ends; exits if another process holds the lock.
lock_installation() {
    install -d -m 700 "$LOCKS"
    exec 9>"$LOCKS/lock"
    flock -n 9 || die "another installation is running: wait until it has ended"
}

main() {
    bundle=$(here)
    case ${1-} in
    -h | --help | help) usage ;;
    uninstall)
        shift
        uninstall "$@"
        ;;
    # `mask-patrol update` calls the script with this option, and holds the lock itself.
    --release-only)
        changed=no recording=no
        require_supported_machine
        make_release
        ;;
    --activate)
        changed=no recording=no
        release=$(CDPATH='' cd -- "$bundle/../.." && pwd -P)
        activate
        ;;
    *)
        lock_installation
        install_all "$@"
        ;;
    esac
}

main "$@"
exit
