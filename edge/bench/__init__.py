"""What our pipeline costs on this machine, beside what the original's would."""
