"""Classification of face crops: the model file, its card, and TFLite inference."""
