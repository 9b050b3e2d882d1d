"""What a version must show, in a router of its own, before it leaves staging; see `flows.validation.validate`."""
