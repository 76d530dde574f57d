"""`python -m training train`, `binary` and `cross`: training runs, and the calibration and
threshold that follow.
"""
