"""From folders of pictures to a Keras model; `python -m training --help` lists the commands."""
