"""The short path of a prediction: from bytes to bytes, batched by the turns of the event loop."""
