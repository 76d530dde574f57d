"""From a Keras model to a flatbuffer: export, ranges, quantisation, and smaller files."""
