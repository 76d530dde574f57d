"""Boxed pictures in every known annotation format."""
