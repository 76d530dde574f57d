"""Who may use the dashboard: password, login sessions, and connection limits."""
