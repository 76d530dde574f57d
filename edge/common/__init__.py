"""Modules that every package uses: errors, paths, clocks, logging, arrays, terminal output."""
