"""Grade submissions: `plan` decides what is stale, `run` executes one, `record` alone writes the gradebook."""
