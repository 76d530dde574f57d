"""Training runs: batches, the training loop, checkpoints, calibration, and thresholds."""
