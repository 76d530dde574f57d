"""What every package uses: errors, paths, clocks, logging, arrays, and terminal output."""
