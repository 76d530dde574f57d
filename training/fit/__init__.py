"""`python -m training train`, `binary` and `cross`: training runs and what follows them."""
