"""`python -m training evaluate` and `stress`: predictions, metrics, plots, and reports."""
