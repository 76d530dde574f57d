#!/bin/sh
# Run by Raspberry Pi OS Bookworm before anything else, until it succeeds; the device then starts
# again. Three failures, and it starts without us: what went wrong stands on the boot partition.
set -u
boot=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
log=$boot/mask-patrol-failed.txt
tries=$boot/mask-patrol-tries

# A cut may have come when the kit had gone and we had not.
if [ -e "$boot/mask-patrol/start.sh" ]; then
    if sh "$boot/mask-patrol/start.sh" --later 2>"$log"; then
        rm -f "$log"
    else
        echo x >>"$tries"
        sync
        if [ "$(wc -l <"$tries")" -lt 3 ]; then exit 1; fi
        echo "Tried three times. The passwords were taken off; run make firstrun again." >>"$log"
        rm -rf "$boot/mask-patrol"
    fi
fi
rm -rf "$boot/mask-patrol.done"
sed 's| systemd\.[^ ]*||g' "$boot/cmdline.txt" >"$boot/cmdline.new" || exit 1
sync
mv -f "$boot/cmdline.new" "$boot/cmdline.txt" || exit 1
sync
rm -f "$tries" "$boot/firstrun.sh"
sync
exit 0
