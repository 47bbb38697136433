"""The whole platform on a stick: made, verified and brought up to date here; `installer.py` travels with it."""
