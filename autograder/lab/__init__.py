"""A learner's JupyterLab: their notebooks in a folder of their own, the course offline around them."""
