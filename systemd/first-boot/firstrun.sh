#!/bin/sh
# Run once by Raspberry Pi OS Bookworm, before anything else; the device then starts again.
boot=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
sh "$boot/mask-patrol/start.sh" --later
sed -i 's| systemd\.[^ ]*||g' "$boot/cmdline.txt"
rm -f "$boot/firstrun.sh"
sync
exit 0
