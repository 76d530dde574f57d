"""Controls of cameras, such as exposure and gain: their names, and how each driver is told."""
