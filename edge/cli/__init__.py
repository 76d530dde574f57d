"""The `mask-patrol` command line."""
