"""Training and evaluation of the classifier; `python -m training --help` lists the commands."""
