"""Calls a service on the loopback of the machine that grades."""

prize = "loopback"
harmless = True

# %% last
import socket

with socket.create_connection(("127.0.0.1", int("@PORT@")), 3) as service:
    print(service.recv(1000))
