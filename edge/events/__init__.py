"""From frames to events: the pipeline, the alert machine, the people counter, snapshots."""
