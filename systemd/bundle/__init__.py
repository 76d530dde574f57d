"""The bundle: one file that installs Mask Patrol on a device without a network.

Run from a checkout on a desktop; not part of the installed program.
"""
