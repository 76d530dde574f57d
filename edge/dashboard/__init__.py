"""The dashboard: stores and shows what devices publish, and checks uploaded pictures."""
