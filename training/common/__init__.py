"""Modules that the other packages share: settings, metrics, intervals, plots, importing Keras."""
