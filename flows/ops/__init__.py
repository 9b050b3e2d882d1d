"""Run the system: up, down, status, doctor."""
