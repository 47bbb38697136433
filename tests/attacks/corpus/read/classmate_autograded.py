"""Copies the graded work of a classmate into its own folder."""

prize = "classmate"
harmless = True

# %% last
import shutil

shutil.copytree("@COURSE@/autograded/classmate", "mine")
