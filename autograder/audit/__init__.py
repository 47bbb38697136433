"""Who changed which grade, when, from what to what, and why: a log in the gradebook that is only ever added to."""
