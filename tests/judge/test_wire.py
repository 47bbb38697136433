"""Frames arrive whole and in time, or the peer has misbehaved."""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from autograder.judge.wire import Channel, Misbehaved, Overdue


@pytest.fixture
def ends() -> tuple[Channel, socket.socket]:
    ours, theirs = socket.socketpair()
    return Channel(ours, size=10**7), theirs


def soon() -> float:
    return time.monotonic() + 0.1


def test_frames_of_any_size_arrive_in_order() -> None:
    ours, theirs = map(Channel, socket.socketpair())
    frames = [b"", b"a", bytes(3_000_000), b"z"]
    sender = threading.Thread(target=lambda: [ours.send(frame) for frame in frames])
    sender.start()
    assert [theirs.receive() for _ in frames] == frames
    sender.join()


def test_a_peer_that_is_gone_is_an_error_on_both_ways(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.close()
    with pytest.raises(Misbehaved, match="ended"):
        channel.receive()
    with pytest.raises(Misbehaved, match="ended"):
        channel.send(b"hello")


def test_a_frame_that_breaks_off_is_an_error(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.sendall(struct.pack("!I", 10) + b"half")
    peer.close()
    with pytest.raises(Misbehaved):
        channel.receive()


def test_a_length_over_the_limit_is_refused_before_anything_is_read(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    peer.sendall(struct.pack("!I", 2**32 - 1))
    with pytest.raises(Misbehaved, match="announced"):
        channel.receive(soon())


def test_silence_ends_at_the_deadline(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(Overdue):
        channel.receive(soon())


def test_a_peer_that_drips_is_as_late_as_a_silent_one(ends: tuple[Channel, socket.socket]) -> None:
    channel, peer = ends
    stop = threading.Event()

    def drip() -> None:
        peer.sendall(struct.pack("!I", 10_000))
        while not stop.wait(0.005):
            peer.sendall(b".")

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(Overdue):
        channel.receive(soon())
    stop.set()
    thread.join()


def test_a_peer_that_takes_nothing_in_is_late(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(Overdue):
        channel.send(bytes(10**7), soon())
