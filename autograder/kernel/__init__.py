"""Warm, sandboxed processes for learners' code: one process imports the stack and is copied for each notebook."""
