"""From frames to events: the pipeline, the alert state machine, and the people counter."""
