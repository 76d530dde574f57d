"""The bundle: one file that installs Mask Patrol on a device without a network.

This package is run from a checkout on a desktop; it is not a part of the installed program.
"""
