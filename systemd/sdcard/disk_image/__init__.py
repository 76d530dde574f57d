"""Disk images: the partition table, and the FAT and ext4 file systems in an image file."""
