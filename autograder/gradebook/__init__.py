"""What goes into a gradebook and out of it besides grading: class lists, exports, regrades, rubrics, an LMS."""
