"""Calls the service under every address that the machine has, rather than by the loopback's."""

prize = "loopback"
harmless = True

# %% last
import socket

names = {"localhost", "0.0.0.0", "127.1.2.3", "::1", "::ffff:127.0.0.1", socket.gethostname()}
for name in sorted(names):
    try:
        with socket.create_connection((name, int("@PORT@")), 3) as service:
            print(name, service.recv(1000))
    except OSError as error:
        print(name, type(error).__name__)
