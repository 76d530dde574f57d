"""`python -m training frontier`: settings of the face detector compared."""
