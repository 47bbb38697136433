"""The figures of `status` for Prometheus. No label names a person."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from autograder.files import write_text
from autograder.hub.lab import Lab
from autograder.hub.status import Status, read_status

#: What an HTTP handler of `metrics_text` says it sends.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(found: Status) -> str:
    """`found` as Prometheus reads it. What cannot be told is left out, so that an alert on its absence can be set."""
    registry = CollectorRegistry()

    def gauge(name: str, what: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"ustod_{name}", what, registry=registry).set(value)

    machine = found.machine
    gauge("up", "1 if the supervisor of the lab runs", found.supervisor is not None)
    gauge("hub_up", "1 if the hub answers", found.hub)
    gauge("attention", "Things that somebody should look at", len(found.attention))
    if found.hub:
        gauge("people_online", "People whose servers run", len(found.people) - found.starting)
        gauge("servers_starting", "Servers that are being started", found.starting)
        gauge("kernels", "Kernels of notebooks that run", sum(one.kernels for one in found.people))
        memory = [one.memory for one in found.people]
        gauge("people_memory_bytes", "Memory of all people's programs", sum(memory))
        gauge("largest_memory_bytes", "Memory of the programs of whoever uses most", max(memory, default=0))
    gauge("machine_memory_bytes", "Memory of the machine", machine.memory)
    gauge("machine_memory_free_bytes", "Memory that programs could have", machine.memory_free)
    gauge("machine_load", "Processors wanted, on average over a minute", machine.load)
    gauge("machine_processors", "Processors", machine.processors)
    gauge("disk_bytes", "Size of the disk with the lab's storage", machine.disk)
    gauge("disk_free_bytes", "Free bytes of that disk", machine.disk_free)
    if found.homes:
        gauge("homes_bytes", "All homes on the disk", sum(found.homes.values()))
        gauge("largest_home_bytes", "The largest home on the disk", max(found.homes.values()))
    gauge("backup_age_seconds", "Seconds since the last backup", found.backup_age)
    if found.certificate_end:
        end = datetime.fromisoformat(found.certificate_end).timestamp()
        gauge("certificate_end_seconds", "When the certificate ends, in seconds since 1970", end)
    uncollected = Gauge("ustod_submissions_uncollected", "Submissions to be collected", ["course"], registry=registry)
    ungraded = Gauge("ustod_submissions_ungraded", "Collected submissions to be graded", ["course"], registry=registry)
    for course in found.waiting:
        uncollected.labels(course.course).set(course.uncollected)
        ungraded.labels(course.course).set(course.ungraded)
    return generate_latest(registry).decode("utf-8")


def write_metrics(lab: Lab, path: Path) -> None:
    """Write the figures of `lab` to `path`, whole or not at all, for node_exporter's collector of text files.

    Homes are not measured for it; what the last `ustod hub status` found is told.
    """
    write_text(path, metrics_text(read_status(lab, measure_homes=False)))
