"""A lab on a Kubernetes cluster, from the same ``lab.toml``: values for the zero-to-jupyterhub chart, and the rest."""

from autograder.hub.kubernetes.manifests import render_manifests
from autograder.hub.kubernetes.values import render_values
from autograder.hub.kubernetes.write import write_values

__all__ = ["render_manifests", "render_values", "write_values"]
