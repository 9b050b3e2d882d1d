"""The live view of a rollout: look, remember, draw."""
