"""`python -m training train` and `cross`: training runs, their calibration and their threshold."""
