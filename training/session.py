"""One whole training session: data, training, and what is written beside the model."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from training.config import TrainConfig
from training.datasets import LABELS, read_dataset
from training.prepare import prepare
from training.train import Places, train


def run_training(options: argparse.Namespace, config: TrainConfig) -> int:
    """Do what `python -m training train` was asked for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    labels = LABELS[config.classes]
    datasets = [read_dataset(root, labels) for root in options.data]
    run_folder = options.run_folder or Path("runs") / options.out.stem
    data = prepare(datasets, config, labels)
    train(data, config, labels, Places(options.out, run_folder), options.resume)
    return 0
