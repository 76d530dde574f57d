"""From a face crop to a label: the model file, its card, and TFLite inference."""
