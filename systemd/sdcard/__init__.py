"""SD cards: an image with everything on it, writing it, and files for a stock image.

Run from a checkout, on the desktop where cards are made; never on the Pi, and no part of the
installed program.
"""
