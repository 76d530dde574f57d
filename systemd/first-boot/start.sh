#!/bin/sh
# Moves the kit from the boot partition, which every computer can read, to where it runs from.
# Cut off at whatever step, by a pulled plug even, it is simply run again.
set -eu
from=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
kit=/opt/mask-patrol/first-boot
unit=mask-patrol-first-boot.service

# One that is there came whole, by a single rename, and the source may be half deleted by now.
if [ ! -e "$kit/first-boot.sh" ]; then
    if [ ! -e "$from/.complete" ]; then
        echo "Mask Patrol: $from is not whole: run make firstrun for this card again" >&2
        exit 1
    fi
    mkdir -p /opt/mask-patrol
    rm -rf "$kit" "$kit.new"
    mkdir -m 700 "$kit.new"
    if ! cp -R "$from"/. "$kit.new"; then
        rm -rf "$kit.new" # a full disk would stay full
        exit 1
    fi
    sync
    mv "$kit.new" "$kit"
fi
mkdir -p /etc/systemd/system/multi-user.target.wants
install -m 644 "$from/$unit" "/etc/systemd/system/$unit"
ln -sfn "/etc/systemd/system/$unit" "/etc/systemd/system/multi-user.target.wants/$unit"
sync
# Passwords among it. Under this name nobody takes what is left of it for a kit; what a cut leaves
# here, the first boot takes away.
rm -rf "$from.done"
mv "$from" "$from.done"
sync
rm -rf "$from.done"
sync
if [ "${1-}" != --later ]; then
    systemctl daemon-reload
    systemctl start --no-block "$unit"
fi
