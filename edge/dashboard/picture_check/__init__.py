"""The Check page's worker: classifies uploaded pictures in a separate process."""
