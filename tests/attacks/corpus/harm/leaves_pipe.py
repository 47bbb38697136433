"""Leaves a child that holds the standard output open, for whoever waits for its end; it ends after a minute."""

prize = "time"
harmless = True

# %% last
import subprocess

subprocess.Popen(["sleep", "60"])
