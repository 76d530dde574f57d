"""The conversion of classifiers: pictures, parity, card, figures."""
