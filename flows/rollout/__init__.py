"""How a challenger takes the stage, step by step."""
