#!/bin/sh
# Moves the kit from the boot partition, which every computer can read, to the root file system.
# It can be interrupted at any step, for example by a power cut, and run again.
set -eu
from=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
kit=/opt/mask-patrol/first-boot
unit=mask-patrol-first-boot.service

# An existing kit is complete, as it was renamed into place; the source may be partly deleted.
if [ ! -e "$kit/first-boot.sh" ]; then
    if [ ! -e "$from/.complete" ]; then
        echo "Mask Patrol: $from is incomplete: run make firstrun for this card again" >&2
        exit 1
    fi
    mkdir -p /opt/mask-patrol
    rm -rf "$kit" "$kit.new"
    mkdir -m 700 "$kit.new"
    if ! cp -R "$from"/. "$kit.new"; then
        rm -rf "$kit.new" # the disk may be full: free the space again
        exit 1
    fi
    sync
    mv "$kit.new" "$kit"
fi
mkdir -p /etc/systemd/system/multi-user.target.wants
install -m 644 "$from/$unit" "/etc/systemd/system/$unit"
ln -sfn "/etc/systemd/system/$unit" "/etc/systemd/system/multi-user.target.wants/$unit"
sync
# The source contains passwords. It is renamed first, so that a partly deleted source is not taken for
# a kit. If the deletion is interrupted, the first boot deletes the rest.
rm -rf "$from.done"
mv "$from" "$from.done"
sync
rm -rf "$from.done"
sync
if [ "${1-}" != --later ]; then
    systemctl daemon-reload
    systemctl start --no-block "$unit"
fi
