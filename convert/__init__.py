"""From a Keras model to one int8 `.tflite` file that describes itself: `python -m convert`."""
