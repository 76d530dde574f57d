"""Training pictures made from photographs: framing, mosaics, light, and cameras."""
