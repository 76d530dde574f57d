"""What the training packages share: settings, metrics, plots, and Keras itself."""
