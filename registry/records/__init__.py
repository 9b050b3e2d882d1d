"""Frozen records that cross process borders; every one encodes to JSON and back."""
