#!/bin/sh
# Sets a device up at its first boot from the kit that this file lies in, and takes the kit away.
# What is interrupted, by a pulled plug even, is done again at the next boot.
set -eu
umask 022

kit=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
UNIT=mask-patrol-first-boot.service
ETC=/etc/mask-patrol
ACCOUNT=mask-patrol
BOOT=/boot/firmware
READ_ONLY=/usr/local/sbin/mask-patrol-read-only
BELOW=/media/root-ro
failed=''
restart=no

say() { printf 'Mask Patrol: %s\n' "$*"; }
die() {
    say "$1"
    exit "${2:-1}"
}

# attempt STEP: whatever becomes of it, the others follow; what failed is tried again when they have.
attempt() {
    set +e
    # In its own shell, and in no condition: only so does it end at its first error.
    (
        set -e
        "$1"
    )
    code=$?
    set -e
    if [ "$code" != 0 ]; then
        say "$1 failed ($code)"
        failed="$failed $1"
    fi
}

# setting NAME: what the site says, or nothing.
setting() {
    if [ -s "$kit/settings/$1" ]; then cat "$kit/settings/$1"; fi
}

set_hostname() {
    name=$(setting hostname)
    if [ -z "$name" ]; then return 0; fi
    {
        sed '/^127\.0\.1\.1[[:space:]]/d' /etc/hosts
        printf '127.0.1.1\t%s\n' "$name"
    } >/etc/hosts.new
    chmod 644 /etc/hosts.new
    mv -f /etc/hosts.new /etc/hosts
    if [ "$(cat /etc/hostname)" = "$name" ]; then return 0; fi
    echo "$name" >/etc/hostname
    hostname "$name" 2>/dev/null || hostnamectl set-hostname "$name" || true
}

set_timezone() {
    zone=$(setting timezone)
    if [ -z "$zone" ]; then return 0; fi
    if [ ! -e "/usr/share/zoneinfo/$zone" ]; then
        say "there is no time zone $zone here; it stays as it was"
        return 0
    fi
    ln -sfn "/usr/share/zoneinfo/$zone" /etc/localtime
    echo "$zone" >/etc/timezone
}

# The image's own user gets the site's name, password and keys, as Raspberry Pi Imager does it.
set_user() {
    user=$(setting user)
    if [ -z "$user" ]; then return 0; fi
    hash=$(setting password-hash)
    first=$(getent passwd 1000 | cut -d: -f1 || true)
    if [ -z "$first" ]; then
        useradd --create-home --uid 1000 --shell /bin/bash "$user"
    elif [ -x /usr/lib/userconf-pi/userconf ]; then
        # It also takes the questions on the screen away, from the next boot on.
        /usr/lib/userconf-pi/userconf "$user" "$hash" || say "userconf failed"
        systemctl stop --no-block userconfig.service 2>/dev/null || true
    else
        rename_user "$first" "$user"
    fi
    if [ -n "$hash" ]; then
        printf '%s:%s\n' "$user" "$hash" | chpasswd --encrypted
    fi
    for group in sudo video; do
        if getent group "$group" >/dev/null; then usermod --append --groups "$group" "$user"; fi
    done
}

# rename_user OLD NEW: each step looks whether it is still to be done. What the name once was is
# kept, as after the first step nothing else tells it.
rename_user() {
    if [ ! -s "$kit/old-user" ]; then
        echo "$1" >"$kit/old-user.new"
        sync
        mv "$kit/old-user.new" "$kit/old-user"
    fi
    old=$(cat "$kit/old-user")
    if [ "$1" != "$2" ]; then usermod --login "$2" "$1"; fi
    if [ "$old" = "$2" ]; then return 0; fi
    if [ "$(getent passwd 1000 | cut -d: -f6)" = "/home/$old" ]; then
        usermod --home "/home/$2" "$2"
    fi
    if [ -d "/home/$old" ] && [ ! -e "/home/$2" ]; then mv "/home/$old" "/home/$2"; fi
    group=$(getent group 1000 | cut -d: -f1 || true)
    if [ "$group" = "$old" ]; then groupmod --new-name "$2" "$old" || say "the group stays $old"; fi
    for file in /etc/sudoers.d/010_pi-nopasswd /etc/sudoers.d/90-cloud-init-users; do
        if [ -f "$file" ]; then sed -i "s/^$old /$2 /" "$file"; fi
    done
}

set_keys() {
    user=$(setting user)
    if [ ! -s "$kit/settings/authorized_keys" ]; then return 0; fi
    home=$(getent passwd "$user" | cut -d: -f6)
    [ -n "$home" ] || die "there is no user $user"
    group=$(id -gn "$user")
    install -d -o "$user" -g "$group" -m 700 "$home/.ssh"
    install -o "$user" -g "$group" -m 600 "$kit/settings/authorized_keys" "$home/.ssh/authorized_keys"
    # Who came in by a key alone needs none for sudo either: there is no password to ask for.
    if [ -z "$(setting password-hash)" ]; then
        printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$user" >/etc/sudoers.d/020_mask-patrol
        chmod 440 /etc/sudoers.d/020_mask-patrol
    fi
}

# Said either way, and before anybody else: of several words sshd takes the first, and cloud-init's
# file is 50-cloud-init.conf.
set_ssh() {
    if [ ! -x /usr/sbin/sshd ]; then return 0; fi
    mkdir -p /etc/ssh/sshd_config.d
    if [ -n "$(setting password-hash)" ]; then passwords=yes; else passwords=no; fi
    echo "PasswordAuthentication $passwords" >/etc/ssh/sshd_config.d/01-mask-patrol.conf
    ssh-keygen -A >/dev/null
    systemctl unmask --quiet ssh.service || true
    systemctl enable --quiet ssh.service
    # It may run already, as cloud-init has set it up.
    systemctl reload-or-restart --no-block ssh.service
}

# Whatever of /etc the kit carries: the configuration, the broker's login, the wireless network.
set_files() {
    if [ -d "$kit/etc" ]; then
        install -d -m 755 "$ETC"
        install -d -m 700 "$ETC/credentials"
        (cd "$kit/etc" && find . -type f | sed "s,^\./,,") | while read -r file; do
            case $file in
            mask-patrol/credentials/* | mask-patrol/client.* | *.nmconnection) mode=600 ;;
            mask-patrol/mask-patrol.toml) mode=640 ;;
            *) mode=644 ;;
            esac
            install -D -m "$mode" "$kit/etc/$file" "/etc/$file"
        done
    fi
}

set_wifi() {
    country=$(setting wifi-country)
    if [ -z "$country" ]; then return 0; fi
    if command -v raspi-config >/dev/null; then
        raspi-config nonint do_wifi_country "$country" || say "the country of the radio was not set"
    elif command -v rfkill >/dev/null; then
        rfkill unblock wifi || true
    fi
    for file in /var/lib/systemd/rfkill/*:wlan; do
        if [ -e "$file" ]; then echo 0 >"$file"; fi
    done
    if command -v nmcli >/dev/null; then
        nmcli connection reload || true
        nmcli radio wifi on || true
    fi
}

# The bundle from the card, or from the network as soon as there is one.
get_bundle() {
    if [ -e "$kit/bundle.tar" ]; then
        bundle=$kit/bundle.tar
        return 0
    fi
    [ -n "$(setting bundle-url)" ] ||
        die "there is neither a bundle in $kit nor an address of one: prepare the card again" 78
    bundle=$kit/download.tar
    delay_s=15
    while true; do
        code=0
        download || code=$?
        case $code in
        0) return 0 ;;
        # The whole of it came, and was wrong: that takes somebody to mend it.
        3) if [ "$delay_s" -lt 3600 ]; then delay_s=$((2 * delay_s)); fi ;;
        *) delay_s=15 ;;
        esac
        sleep "$delay_s"
    done
}

download() {
    python3 - "$(setting bundle-url)" "$bundle" "$(setting bundle-sha256)" <<'PYTHON'
import hashlib
import http.client
import pathlib
import sys
import urllib.request

url, path, wanted = sys.argv[1:]
digest = hashlib.sha256()
try:
    with urllib.request.urlopen(url, timeout=30) as source, pathlib.Path(path).open("wb") as target:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
except (OSError, ValueError, http.client.HTTPException) as error:
    sys.exit(f"Mask Patrol: cannot get the bundle from {url}: {error}")
if digest.hexdigest() != wanted:
    sys.stderr.write(f"Mask Patrol: what lies at {url} is not the bundle: its digest is another\n")
    sys.exit(3)
PYTHON
}

install_bundle() {
    work=$kit/bundle
    rm -rf "$work"
    mkdir "$work"
    tar -xf "$bundle" -C "$work" --no-same-owner
    options=--no-start
    if [ -e "$kit/bundle.tar" ]; then options="$options --offline"; fi
    if [ -d "$kit/debs" ]; then options="$options --deb-dir $kit/debs"; fi
    # shellcheck disable=SC2086 # these are words
    sh "$work"/*/install.sh $options
    # Only now is there an account that may read them.
    for file in "$ETC/client.pem" "$ETC/client.key"; do
        if [ -e "$file" ]; then
            chown "root:$ACCOUNT" "$file"
            chmod 640 "$file"
        fi
    done
    sync
    : >"$kit/.installed"
}

# Whether the root is to be read-only is in .done, as the settings are taken away.
finish() {
    setting read-only >"$kit/.done.new"
    sync
    mv "$kit/.done.new" "$kit/.done"
    sync
}

# What a cut has left of us lies below an overlay already.
below_overlay() { [ "$(findmnt --noheadings --output FSTYPE /)" = overlay ]; }

make_read_only() {
    # At later starts cloud-init would believe that each is the first.
    if [ -d /etc/cloud ]; then touch /etc/cloud/cloud-init.disabled; fi
    if "$READ_ONLY" on; then
        restart=yes
    else
        systemctl start --no-block mask-patrol.service || true
        die "the root stays writable. It is tried again."
    fi
}

# What else clean_up does, where it is for good.
clean_up_below() {
    mount -o remount,rw "$BELOW"
    rm -rf "$BELOW/etc/systemd/system/$UNIT" "$BELOW/etc/systemd/system/multi-user.target.wants/$UNIT"
    rm -rf "${BELOW:?}/opt/mask-patrol/first-boot"
    sync
    mount -o remount,ro "$BELOW"
}

# The daemon finds it mounted when it is started.
set_data() {
    if [ -z "$(setting data-partition)" ]; then return 0; fi
    systemctl enable --quiet --now mask-patrol-data.service
}

# Takes the kit away, secrets first. A cut comes either before .done, and all is done again, or
# after it, and only this is.
clean_up() {
    find "$kit" -mindepth 1 -maxdepth 1 ! -name first-boot.sh ! -name .done -exec rm -rf {} +
    rm -rf "$BOOT/mask-patrol" "$BOOT/mask-patrol.done" || say "$BOOT still holds passwords"
    sync
    # While the unit still brings us back after a cut.
    if below_overlay; then
        clean_up_below
        return 0
    fi
    if [ -s "$kit/.done" ]; then make_read_only; fi
    systemctl disable --quiet "$UNIT" || true
    rm -f "/etc/systemd/system/$UNIT"
    sync
    mv "$kit" "$kit.done"
    rm -rf "$kit.done"
    sync
}

if [ ! -e "$kit/.done" ]; then
    say "setting this device up …"
    # What a cut has left of the kit that was on the boot partition.
    rm -rf "$BOOT/mask-patrol.done" || true
    attempt set_hostname
    attempt set_timezone
    attempt set_user
    attempt set_keys
    attempt set_ssh
    set_files # without its configuration it is not to be installed
    attempt set_wifi
    if [ ! -e "$kit/.installed" ]; then
        get_bundle
        install_bundle
    fi
    attempt set_data
    # The door is watched, whatever else went wrong.
    if [ -n "$failed" ]; then
        systemctl start --no-block mask-patrol.service || true
        die "not everything is set up:$failed. It is tried again."
    fi
    finish
fi
clean_up
say "set up as $(cat /etc/hostname)."
if [ "$restart" = yes ]; then
    say "starting again, with a read-only root …"
    systemctl reboot --no-block
else
    # Not before we have ended: it comes after us.
    systemctl start --no-block mask-patrol.service
fi
