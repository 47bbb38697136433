"""Leaves a process behind that keeps the gradebook locked, so that nothing more can be written to it."""

prize = "time"
harmless = True

# %% last
import subprocess
import sys

PROGRAM = """
import sqlite3, time
book = sqlite3.connect("@COURSE@/gradebook.db", isolation_level=None)
book.execute("BEGIN EXCLUSIVE")
time.sleep(60)
"""
subprocess.Popen([sys.executable, "-c", PROGRAM], start_new_session=True)
__import__("time").sleep(2)
