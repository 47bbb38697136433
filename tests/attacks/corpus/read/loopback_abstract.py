"""Calls a service by a unix socket that has no place in the file system."""

prize = "loopback"
harmless = True

# %% last
import socket

with socket.socket(socket.AF_UNIX) as service:
    service.settimeout(3)
    service.connect("\0@SOCKET@")
    print(service.recv(1000))
