"""The pure statistical core: arrays or sufficient statistics in, frozen results out."""
