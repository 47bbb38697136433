"""One course server for a university, from one declarative file."""
