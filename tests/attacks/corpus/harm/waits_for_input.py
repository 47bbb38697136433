"""Waits for somebody to type something."""

prize = "time"
harmless = True

# %% first
import sys

input("Your name? ")

# %% last
sys.stdin.read()
