"""The pages of the dashboard: request handlers, templates, and charts."""
