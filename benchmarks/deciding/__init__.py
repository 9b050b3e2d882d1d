"""Simulated histories whose harm is known, and the calibration that is made from them."""
