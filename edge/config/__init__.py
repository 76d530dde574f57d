"""The settings of the daemon: a TOML file, read and validated into frozen dataclasses."""
