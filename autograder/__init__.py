"""Ustod: graded notebooks that teach machine learning on a university's own computers, and a grader to be trusted."""

__version__ = "0.1.0"
