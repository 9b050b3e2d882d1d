"""How the serving processes start, stop, come back and stay within their bounds."""
