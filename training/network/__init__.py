"""The networks, and the report that is written beside a trained model."""
