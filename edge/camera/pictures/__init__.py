"""Pictures in files: their formats, headers and orientation, folders of them, and decoding."""
