#!/bin/sh
# Sets a device up at its first boot from the kit that contains this file, then deletes the kit.
# If it is interrupted, for example by a power cut, the next boot runs it again.
set -eu
umask 022

kit=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
UNIT=mask-patrol-first-boot.service
ETC=/etc/mask-patrol
ACCOUNT=mask-patrol
BOOT=/boot/firmware
READ_ONLY=/usr/local/sbin/mask-patrol-read-only
LOWER_ROOT=/media/root-ro # the root below the overlay
failed=''
reboot=no

say() { printf 'Mask Patrol: %s\n' "$*"; }
die() {
    say "$1"
    exit "${2:-1}"
}

# attempt STEP: runs a step. If it fails, it is added to `failed`, and the script continues.
attempt() {
    set +e
    # `set -e` has no effect inside a condition, so the step runs in a subshell on its own.
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

# setting NAME: prints a setting of the site, or nothing.
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
        say "there is no time zone $zone on this system; the time zone is not changed"
        return 0
    fi
    ln -sfn "/usr/share/zoneinfo/$zone" /etc/localtime
    echo "$zone" >/etc/timezone
}

# Renames the image's user and sets its password, as Raspberry Pi Imager does.
set_user() {
    user=$(setting user)
    if [ -z "$user" ]; then return 0; fi
    hash=$(setting password-hash)
    first=$(getent passwd 1000 | cut -d: -f1 || true)
    if [ -z "$first" ]; then
        useradd --create-home --uid 1000 --shell /bin/bash "$user"
    elif [ -x /usr/lib/userconf-pi/userconf ]; then
        # userconf also disables the setup dialog on the screen from the next boot on.
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

# rename_user OLD NEW: renames the account. Each step is skipped if an earlier run has already done
# it. The old name is saved first, as it is lost after the first step.
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
    # sudo must not ask for a password if the user has none.
    if [ -z "$(setting password-hash)" ]; then
        printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$user" >/etc/sudoers.d/020_mask-patrol
        chmod 440 /etc/sudoers.d/020_mask-patrol
    fi
}

# Sets PasswordAuthentication. sshd uses the first value that it reads, so the file name sorts before
# cloud-init's 50-cloud-init.conf.
set_ssh() {
    if [ ! -x /usr/sbin/sshd ]; then return 0; fi
    mkdir -p /etc/ssh/sshd_config.d
    if [ -n "$(setting password-hash)" ]; then passwords=yes; else passwords=no; fi
    echo "PasswordAuthentication $passwords" >/etc/ssh/sshd_config.d/01-mask-patrol.conf
    ssh-keygen -A >/dev/null
    systemctl unmask --quiet ssh.service || true
    systemctl enable --quiet ssh.service
    # sshd may run already with the configuration of cloud-init.
    systemctl reload-or-restart --no-block ssh.service
}

# Installs the kit's files for /etc: the configuration, the credentials, the wireless network.
set_files() {
    if [ -d "$kit/etc" ]; then
        install -d -m 755 "$ETC"
        install -d -m 700 "$ETC/credentials"
        (cd "$kit/etc" && find . -type f | sed "s,^\./,,") | while read -r file; do
            case $file in
            mask-patrol/credentials/* | mask-patrol/client.* | *.nmconnection) mode=600 ;;
            mask-patrol-dashboard/*)
                install -d -m 700 "$ETC-dashboard"
                mode=600
                ;;
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
        raspi-config nonint do_wifi_country "$country" || say "cannot set the Wi-Fi country"
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

# Sets `bundle` to the path of the bundle. A bundle that is not on the card is downloaded as soon as
# the network is up.
get_bundle() {
    if [ -e "$kit/bundle.tar" ]; then
        bundle=$kit/bundle.tar
        return 0
    fi
    [ -n "$(setting bundle-url)" ] ||
        die "$kit contains neither a bundle nor the URL of one: prepare the card again" 78
    bundle=$kit/download.tar
    delay_s=15
    while true; do
        code=0
        download || code=$?
        case $code in
        0) return 0 ;;
        # The download is complete, but is not the expected bundle. Only a person can fix that: retry
        # less often.
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
    sys.exit(f"Mask Patrol: cannot download the bundle from {url}: {error}")
if digest.hexdigest() != wanted:
    sys.stderr.write(f"Mask Patrol: the file at {url} is not the bundle: its SHA-256 differs\n")
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
    # shellcheck disable=SC2086 # one argument per word
    sh "$work"/*/install.sh $options
    # The installer has created the account that must read these files. Its group must not: the
    # dashboard has this group, and could identify itself as the daemon at the broker.
    for file in "$ETC/client.pem" "$ETC/client.key"; do
        if [ -e "$file" ]; then
            chown "$ACCOUNT:$ACCOUNT" "$file"
            chmod 400 "$file"
        fi
    done
    sync
    : >"$kit/.installed"
}

# Marks the setup as done. .done contains the setting `read-only`, as the settings are deleted next.
finish() {
    setting read-only >"$kit/.done.new"
    sync
    mv "$kit/.done.new" "$kit/.done"
    sync
}

# Succeeds if the root is already an overlay. The remains of the kit are then on the root below it.
root_is_overlay() { [ "$(findmnt --noheadings --output FSTYPE /)" = overlay ]; }

make_read_only() {
    # With a read-only root, cloud-init would treat every boot as the first boot.
    if [ -d /etc/cloud ]; then touch /etc/cloud/cloud-init.disabled; fi
    if "$READ_ONLY" on; then
        reboot=yes
    else
        systemctl start --no-block mask-patrol.service || true
        die "cannot make the root read-only; this is retried"
    fi
}

# Does the rest of clean_up on the root below the overlay, where it is permanent.
clean_up_lower_root() {
    mount -o remount,rw "$LOWER_ROOT"
    rm -rf "$LOWER_ROOT/etc/systemd/system/$UNIT" "$LOWER_ROOT/etc/systemd/system/multi-user.target.wants/$UNIT"
    rm -rf "${LOWER_ROOT:?}/opt/mask-patrol/first-boot"
    sync
    mount -o remount,ro "$LOWER_ROOT"
}

# Mounts the data partition, before the daemon is started.
mount_data() {
    if [ -z "$(setting data-partition)" ]; then return 0; fi
    systemctl enable --quiet --now mask-patrol-data.service
}

# Deletes the kit, beginning with its secrets. If the script is interrupted before .done exists, the
# next boot repeats the whole setup; if it is interrupted later, the next boot repeats only this
# function.
clean_up() {
    find "$kit" -mindepth 1 -maxdepth 1 ! -name first-boot.sh ! -name .done -exec rm -rf {} +
    rm -rf "$BOOT/mask-patrol" "$BOOT/mask-patrol.done" || say "$BOOT still contains passwords"
    sync
    if root_is_overlay; then
        clean_up_lower_root
        return 0
    fi
    # The root is made read-only before the unit is disabled, so that the next boot repeats both steps
    # after an interruption.
    if [ -s "$kit/.done" ]; then make_read_only; fi
    systemctl disable --quiet "$UNIT" || true
    rm -f "/etc/systemd/system/$UNIT"
    sync
    mv "$kit" "$kit.done"
    rm -rf "$kit.done"
    sync
}

if [ ! -e "$kit/.done" ]; then
    say "setting up this device …"
    # If start.sh was interrupted, remains of the kit are still on the boot partition.
    rm -rf "$BOOT/mask-patrol.done" || true
    attempt set_hostname
    attempt set_timezone
    attempt set_user
    attempt set_keys
    attempt set_ssh
    set_files # this step must succeed: without the configuration, nothing can be installed
    attempt set_wifi
    if [ ! -e "$kit/.installed" ]; then
        get_bundle
        install_bundle
    fi
    attempt mount_data
    # The daemon starts even if another step failed.
    if [ -n "$failed" ]; then
        systemctl start --no-block mask-patrol.service || true
        die "these steps failed and are retried:$failed"
    fi
    finish
fi
clean_up
say "set up as $(cat /etc/hostname)"
if [ "$reboot" = yes ]; then
    say "rebooting with a read-only root …"
    systemctl reboot --no-block
else
    # --no-block: the service is ordered after this unit and starts when this script has ended.
    systemctl start --no-block mask-patrol.service
fi
