"""Model files: the files appended to them, and the TFLite runtime that runs them."""
