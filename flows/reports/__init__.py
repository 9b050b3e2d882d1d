"""Reports that a person can act on: one HTML file, nothing external."""
