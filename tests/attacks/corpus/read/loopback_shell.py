"""Calls a service on the loopback with the shell's own network redirection."""

prize = "loopback"
harmless = True

# %% last
get_ipython().system("bash -c 'exec 3<>/dev/tcp/127.0.0.1/@PORT@ && head -c 60 <&3'")
