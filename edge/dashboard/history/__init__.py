"""The dashboard's database: tables, writing, queries, and retention."""
