#!/bin/sh
# Sets a device up at its first boot from the kit that this file lies in, and takes the kit away.
# What is interrupted, by a pulled plug even, is done again at the next boot.
set -eu
umask 022

kit=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
UNIT=mask-patrol-first-boot.service
ETC=/etc/mask-patrol

say() { printf 'Mask Patrol: %s\n' "$*"; }

# setting NAME: what the site says, or nothing.
setting() {
    if [ -s "$kit/settings/$1" ]; then cat "$kit/settings/$1"; fi
}

set_hostname() {
    name=$(setting hostname)
    if [ -z "$name" ] || [ "$(cat /etc/hostname)" = "$name" ]; then return 0; fi
    echo "$name" >/etc/hostname
    sed -i '/^127\.0\.1\.1[[:space:]]/d' /etc/hosts
    printf '127.0.1.1\t%s\n' "$name" >>/etc/hosts
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
    elif [ "$first" != "$user" ]; then
        usermod --login "$user" "$first"
        usermod --home "/home/$user" --move-home "$user"
        groupmod --new-name "$user" "$(getent group 1000 | cut -d: -f1)" || true
        for file in /etc/sudoers.d/010_pi-nopasswd /etc/sudoers.d/90-cloud-init-users; do
            if [ -f "$file" ]; then sed -i "s/^$first /$user /" "$file"; fi
        done
    fi
    if [ -n "$hash" ]; then
        printf '%s:%s\n' "$user" "$hash" | chpasswd --encrypted
    fi
    for group in sudo video; do
        if getent group "$group" >/dev/null; then usermod --append --groups "$group" "$user"; fi
    done
    set_ssh "$user" "$hash"
}

set_ssh() {
    if [ -s "$kit/settings/authorized_keys" ]; then
        home=$(getent passwd "$1" | cut -d: -f6)
        group=$(id -gn "$1")
        install -d -o "$1" -g "$group" -m 700 "$home/.ssh"
        install -o "$1" -g "$group" -m 600 "$kit/settings/authorized_keys" "$home/.ssh/authorized_keys"
        # Who came in by a key alone needs none for sudo either: there is no password to ask for.
        if [ -z "$2" ]; then
            printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$1" >/etc/sudoers.d/020_mask-patrol
            chmod 440 /etc/sudoers.d/020_mask-patrol
            mkdir -p /etc/ssh/sshd_config.d
            echo 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/50-mask-patrol.conf
        fi
    fi
    if [ -x /usr/sbin/sshd ]; then
        ssh-keygen -A >/dev/null
        systemctl unmask --quiet ssh.service || true
        systemctl enable --quiet ssh.service
        systemctl start --no-block ssh.service
    fi
}

# Whatever of /etc the kit carries: the configuration, the broker's login, the wireless network.
set_files() {
    if [ -d "$kit/etc" ]; then
        install -d -m 755 "$ETC"
        install -d -m 700 "$ETC/credentials"
        (cd "$kit/etc" && find . -type f | sed "s,^\./,,") | while read -r file; do
            case $file in
            mask-patrol/credentials/* | *.nmconnection) mode=600 ;;
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
    bundle=$kit/download.tar
    until python3 - "$(setting bundle-url)" "$bundle" "$(setting bundle-sha256)" <<'PYTHON'; do
import hashlib
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
except OSError as error:
    sys.exit(f"Mask Patrol: cannot get the bundle from {url}: {error}")
if digest.hexdigest() != wanted:
    sys.exit(f"Mask Patrol: what lies at {url} is not the bundle: its digest is another")
PYTHON
        sleep 15
    done
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
}

say "setting this device up …"
set_hostname
set_timezone
set_files
set_user
set_wifi
get_bundle
install_bundle
sync
rm -rf "$kit"
systemctl disable --quiet "$UNIT" || true
rm -f "/etc/systemd/system/$UNIT"
sync
# Not before we have ended: it comes after us.
systemctl start --no-block mask-patrol.service
say "set up as $(cat /etc/hostname)."
