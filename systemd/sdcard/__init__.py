"""SD cards: make an image, write it to a card, and prepare a card with the stock image.

This package is run from a checkout on a desktop; it is not a part of the installed program.
"""
