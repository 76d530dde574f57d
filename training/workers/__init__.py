"""Training on several machines: `TF_CONFIG`, the meeting of the workers, and what they exchange."""
