"""Champion against challenger: on the same holdout, in shadow, and live."""
