"""Installing and removing further cameras of the service: `mask-patrol camera`."""
