"""The command line: one small file per noun, heavy imports only where they are needed."""
