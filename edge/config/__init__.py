"""The settings: read from a TOML file and validated into frozen structs."""
