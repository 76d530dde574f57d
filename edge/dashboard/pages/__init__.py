"""The dashboard's pages: request handlers, templates, and charts."""
