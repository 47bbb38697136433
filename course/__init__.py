"""The course: one folder per unit, with its lesson, its checks and its translations."""
