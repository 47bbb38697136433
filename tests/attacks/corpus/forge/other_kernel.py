"""Replaces its process by a program on the same connection that answers to everything that it went well."""

prize = "points"
harmless = True

# %% first
import os
import sys

PROGRAM = """
import json, signal, sys, time, zmq
from jupyter_client.session import Session

signal.signal(signal.SIGINT, signal.SIG_IGN)
about = json.load(open(sys.argv[1]))
session = Session(key=about["key"].encode(), signature_scheme=about["signature_scheme"])
context, sockets = zmq.Context(), {}
join = ":" if about["transport"] == "tcp" else "-"
for name, kind in (("shell", zmq.ROUTER), ("control", zmq.ROUTER), ("iopub", zmq.PUB), ("hb", zmq.REP)):
    sockets[name] = context.socket(kind)
    for _ in range(50):
        try:
            sockets[name].bind(f"{about['transport']}://{about['ip']}{join}{about[name + '_port']}")
            break
        except zmq.ZMQError:
            time.sleep(0.1)
poller = zmq.Poller()
for name in ("shell", "control", "hb"):
    poller.register(sockets[name], zmq.POLLIN)
end = time.time() + 60
while time.time() < end:
    for socket, _ in poller.poll(1000):
        if socket is sockets["hb"]:
            socket.send(socket.recv())
            continue
        ids, message = session.feed_identities(socket.recv_multipart())
        message = session.deserialize(message)
        kind = message["msg_type"].replace("_request", "")
        session.send(sockets["iopub"], "status", {"execution_state": "busy"}, parent=message)
        reply = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}, "restart": False}
        session.send(socket, kind + "_reply", reply, parent=message, ident=ids)
        session.send(sockets["iopub"], "status", {"execution_state": "idle"}, parent=message)
        if kind == "shutdown":
            sys.exit()
"""
from ipykernel.connect import get_connection_file

os.execv(sys.executable, [sys.executable, "-c", PROGRAM, get_connection_file()])
