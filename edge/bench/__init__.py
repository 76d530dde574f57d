"""The bench: what the pipeline costs on this machine, compared with the original Mask Patrol."""
