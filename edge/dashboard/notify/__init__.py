"""Notifications: rules, the queue in the database, and the process that delivers it."""
