"""Access to the dashboard: the password, login sessions, and connection limits."""
