"""What was measured of all columns becomes a verdict that chance and trifles do not move."""
