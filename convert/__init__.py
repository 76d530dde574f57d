"""Converts a Keras model to an int8 `.tflite` file with a model card: `python -m convert`."""
