"""`python -m training explore`: statistics and near-duplicates of data sets before training."""
