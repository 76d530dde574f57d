"""The conversion of face detectors: pictures, parity, card, figures."""
