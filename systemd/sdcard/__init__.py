"""SD cards: make an image, write it to a card, and prepare a card with the stock image.

Run from a checkout on a desktop; not part of the installed program.
"""
