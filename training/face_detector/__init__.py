"""A face detector: boxed pictures, network, targets, augmentation, training, and evaluation."""
