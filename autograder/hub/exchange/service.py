"""The exchange as a service of the hub: ``python -m autograder.hub.exchange.service --root FOLDER``.

The hub's environment for services says the rest: JUPYTERHUB_API_URL, JUPYTERHUB_SERVICE_NAME, JUPYTERHUB_SERVICE_PREFIX
and JUPYTERHUB_SERVICE_URL. Every request but those for /health and /metrics carries a token; the hub says whose it is.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import logging
import os
import resource
import shutil
import signal
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import prometheus_client
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.log import enable_pretty_logging
from tornado.netutil import bind_sockets

from autograder.errors import UstodError
from autograder.hub.exchange.bundle import LONGEST_LIST, PIECE, Listing
from autograder.hub.exchange.identity import Caller, Identities
from autograder.hub.exchange.store import Quota, Refused, Store, Upload, listing_of

log = logging.getLogger("ustod.exchange")
P = ParamSpec("P")
T = TypeVar("T")

#: Threads that wait for the disk.
THREADS = 16
#: Uploads that one person may have under way.
AT_ONCE = 4
#: Seconds for the head of a request; and for its body, which gets more by its size at this many bytes a second.
HEAD, BODY, SLOWEST = 30, 60, 100_000
#: Bytes of a request for a regrade.
REQUEST = 256 << 10
#: Seconds for what is under way when the service is asked to end.
GRACE = 15


class Counts:
    """What /metrics tells: numbers, and nobody's name."""

    def __init__(self, store: Store) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        of: Any = {"namespace": "ustod_exchange", "registry": self.registry}
        self.requests = prometheus_client.Counter("requests", "Requests answered", ["method", "status"], **of)
        self.submissions = prometheus_client.Counter("submissions", "Submissions taken", **of)
        self.received = prometheus_client.Counter("received_bytes", "Bytes taken", **of)
        self.sent = prometheus_client.Counter("sent_bytes", "Bytes of bundles given out", **of)
        self.uploads = prometheus_client.Gauge("uploads_in_progress", "Uploads under way", **of)
        free = prometheus_client.Gauge("disk_free_bytes", "Bytes free on the disk of the exchange", **of)
        free.set_function(lambda: shutil.disk_usage(store.root).free)


class Service:
    """What all requests share."""

    def __init__(self, store: Store, identities: Identities) -> None:
        self.store, self.identities = store, identities
        self.counts = Counts(store)
        self.under_way: Counter[str] = Counter()
        self.threads = ThreadPoolExecutor(THREADS, "disk")

    def application(self, prefix: str) -> web.Application:
        """The web application, whose addresses all begin with `prefix`."""
        one = r"([^/]+)"
        assignment = f"api/courses/{one}/assignments/{one}"
        routes: list[tuple[str, type[web.RequestHandler]]] = [
            ("health", Health),
            ("metrics", Metrics),
            ("api/me", Me),
            ("api/assignments", Released),
            ("api/submissions", Mine),
            (f"api/courses/{one}/submissions", Inbox),
            (assignment, Release),
            (f"{assignment}/submissions", Submit),
            (f"{assignment}/submissions/{one}/{one}", Submission),
            (f"{assignment}/feedback/{one}/{one}", Feedback),
            (f"api/courses/{one}/requests", Requests),
            (f"{assignment}/requests", Ask),
            (f"{assignment}/requests/{one}/{one}", Request),
        ]
        handlers = [(prefix + route, handler, {"service": self}) for route, handler in routes]
        return web.Application(handlers, default_handler_class=Nothing, default_handler_args={"service": self})


class Handler(web.RequestHandler):
    """Knows who asks before anything else is looked at; answers in JSON."""

    caller: Caller

    def initialize(self, service: Service) -> None:
        self.service, self.store = service, service.store

    async def prepare(self) -> None:
        self.caller = await self.service.identities.of(self.request.headers.get("Authorization", ""))

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    async def disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, in a thread: the loop must not wait for a disk."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.service.threads, lambda: work(*args, **kwargs))

    async def send(self, path: Path) -> None:
        """Send the stored bundle `path`."""
        self.set_header("Content-Type", "application/octet-stream")
        file = await self.disk(path.open, "rb")
        try:
            self.set_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            while piece := await self.disk(file.read, PIECE):
                self.write(piece)
                self.service.counts.sent.inc(len(piece))
                await self.flush()
        finally:
            file.close()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, Refused):
            log.info("%s %s: %s", self.request.method, self.request.path, value)
        elif not isinstance(value, StreamClosedError):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, Refused):
            status_code = error.status
        elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            status_code = 507
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        sentence = f"The exchange answers {status_code} {self._reason}."
        if isinstance(error, Refused):
            sentence = str(error)
        elif status_code == 507:
            sentence = "The disk of the exchange is full; nothing was taken; tell the administrator."
        elif status_code >= 500:
            sentence = "Something went wrong in the exchange; its log says what; tell the administrator."
        self.finish({"error": sentence})

    def on_finish(self) -> None:
        self.service.counts.requests.labels(self.request.method, str(self.get_status())).inc()


class Nothing(Handler):
    """For addresses that there are none of."""

    async def prepare(self) -> None:
        raise Refused(404, "The exchange has nothing there.")


class Health(Handler):
    """That it lives and reaches its disk."""

    async def prepare(self) -> None:
        pass

    async def get(self) -> None:
        await self.disk(os.listdir, self.store.root)
        self.finish({"status": "ok"})


class Metrics(Handler):
    """For Prometheus."""

    async def prepare(self) -> None:
        pass

    def get(self) -> None:
        self.set_header("Content-Type", prometheus_client.CONTENT_TYPE_LATEST)
        self.finish(prometheus_client.generate_latest(self.service.counts.registry))


class Me(Handler):
    """Who the caller is here, and what verifies receipts."""

    def get(self) -> None:
        caller, quota = self.caller, self.store.quota
        self.finish(
            {
                "name": caller.name,
                "student_of": sorted(caller.student_of),
                "instructor_of": sorted(caller.instructor_of),
                "key": self.store.seal.public,
                "limits": {"upload": quota.upload, "release": quota.release},
            }
        )


class Released(Handler):
    """What is released in the caller's courses, or in one of them."""

    async def get(self) -> None:
        courses = self.caller.courses
        if course := self.get_query_argument("course", None):
            self.caller.must_be_in(course)
            courses = [course]
        self.finish({"assignments": await self.disk(self._list, courses)})

    def _list(self, courses: list[str]) -> list[dict[str, Any]]:
        return [
            {"course": course, "assignment": assignment} | _files(listing_of(self.store.release(course, assignment)))
            for course in courses
            for assignment in self.store.assignments(course)
        ]


class Mine(Handler):
    """What the caller has handed in, and what feedback there is on it."""

    async def get(self) -> None:
        courses = self.caller.courses if self.caller.is_person else []
        if course := self.get_query_argument("course", None):
            self.caller.must_be_in(course)
            courses = [one for one in courses if one == course]
        self.finish(await self.disk(_inbox, self.store, courses, None, self.caller.name))


class Inbox(Handler):
    """What was handed in to a course, for those who teach it."""

    async def get(self, course: str) -> None:
        self.caller.must_teach(course)
        only = self.get_query_argument("assignment", None)
        self.finish(await self.disk(_inbox, self.store, [course], only, None))


class Submission(Handler):
    """One that was handed in, for those who teach and for who did."""

    async def get(self, course: str, assignment: str, student: str, name: str) -> None:
        self.caller.must_be(student, course)
        await self.send(await self.disk(self.store.submission, course, assignment, student, name))


@web.stream_request_body
class Uploading(Handler):
    """Takes a bundle as it comes, never the whole of it in memory.

    `admit` refuses before anything is read, `take` is called with what came.
    """

    upload: Upload | None = None
    refusal: BaseException | None = None
    _counted = False

    def admit(self, *names: str) -> int:
        """How many bytes may come."""
        raise NotImplementedError

    async def prepare(self) -> None:
        await super().prepare()
        if self.request.method not in ("PUT", "POST"):
            return
        if self.service.under_way[self.caller.name] >= AT_ONCE:
            raise Refused(429, f"{AT_ONCE} uploads of {self.caller.name} are under way; wait for them.")
        self.service.under_way[self.caller.name] += 1
        self._counted = True
        self.service.counts.uploads.inc()
        limit = await self.disk(self.admit, *self.path_args)
        announced = int(self.request.headers.get("Content-Length", "0"))
        self.upload = await self.disk(self.store.upload, limit, announced)
        if not self._counted:  # the connection was closed meanwhile
            self._end()
            return
        connection: Any = self.request.connection
        connection.set_max_body_size(limit + LONGEST_LIST)
        connection.set_body_timeout(BODY + limit / SLOWEST)

    async def data_received(self, chunk: bytes) -> None:
        if self.upload is None or self.refusal is not None:
            return
        try:
            await self.disk(self.upload.feed, chunk)
            self.service.counts.received.inc(len(chunk))
        except Exception as error:
            self.refusal = error

    async def take(self, work: Callable[[Upload], T]) -> T:
        """What `work` makes of the upload, if all of it came."""
        if self.refusal is not None:
            raise self.refusal
        if self.upload is None:
            raise Refused(400, "Nothing was sent.")
        return await self.disk(work, self.upload)

    def on_finish(self) -> None:
        super().on_finish()
        self._end()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._end()

    def _end(self) -> None:
        if self._counted:
            self._counted = False
            self.service.counts.uploads.dec()
            self.service.under_way -= Counter({self.caller.name: 1})
        if self.upload is not None:
            upload, self.upload = self.upload, None
            self.service.threads.submit(upload.discard)


class Release(Uploading):
    """An assignment as students get it: read by all of the course, put and taken back by those who teach it."""

    async def get(self, course: str, assignment: str) -> None:
        self.caller.must_be_in(course)
        await self.send(await self.disk(self.store.release, course, assignment))

    def admit(self, *names: str) -> int:
        self.caller.must_teach(names[0])
        return self.store.quota.release

    async def put(self, course: str, assignment: str) -> None:
        force = self.get_query_argument("force", "") == "1"
        listing = await self.take(lambda upload: self.store.put_release(course, assignment, upload, force))
        self.finish({"course": course, "assignment": assignment} | _files(listing))

    async def delete(self, course: str, assignment: str) -> None:
        self.caller.must_teach(course)
        await self.disk(self.store.remove_release, course, assignment)
        self.finish({})


class Submit(Uploading):
    """Where people hand in, in their own name: there is no other name to say."""

    def admit(self, *names: str) -> int:
        course, assignment = names
        self.caller.must_be_in(course)
        if not self.caller.is_person:
            raise Refused(403, "Only people hand in.")
        self.store.check_submission(course, assignment, self.caller.name)
        return self.store.quota.upload

    async def post(self, course: str, assignment: str) -> None:
        receipt = await self.take(lambda upload: self.store.submit(course, assignment, self.caller.name, upload))
        self.service.counts.submissions.inc()
        self.set_status(201)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(receipt.text)


class Ask(Uploading):
    """Where people ask, in their own name, for their grade to be looked at again."""

    def admit(self, *names: str) -> int:
        course, assignment = names
        self.caller.must_be_in(course)
        if not self.caller.is_person:
            raise Refused(403, "Only people ask.")
        self.store.check_request(course, assignment, self.caller.name)
        return REQUEST

    async def post(self, course: str, assignment: str) -> None:
        receipt = await self.take(lambda upload: self.store.ask(course, assignment, self.caller.name, upload))
        self.set_status(201)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(receipt.text)


class Requests(Handler):
    """What students of a course ask for, for those who teach it."""

    async def get(self, course: str) -> None:
        self.caller.must_teach(course)
        self.finish({"requests": await self.disk(self._list, course)})

    def _list(self, course: str) -> list[dict[str, Any]]:
        return [
            json.loads(receipt.text)
            for assignment in self.store.all_assignments(course)
            for student in self.store.students(course, assignment)
            for receipt in self.store.requests(course, assignment, student)
        ]


class Request(Handler):
    """One request, for those who teach and for who asked."""

    async def get(self, course: str, assignment: str, student: str, name: str) -> None:
        self.caller.must_be(student, course)
        await self.send(await self.disk(self.store.request, course, assignment, student, name))


class Feedback(Uploading):
    """What comes back: put by those who teach, read by them and by the student whom it is for."""

    async def get(self, course: str, assignment: str, student: str, moment: str) -> None:
        self.caller.must_be(student, course)
        found = await self.disk(self.store.feedback, course, assignment, student)
        if moment not in found:
            raise Refused(404, f"There is no feedback on what was handed in to {assignment} at {moment}.")
        await self.send(found[moment])

    def admit(self, *names: str) -> int:
        self.caller.must_teach(names[0])
        return self.store.quota.upload

    async def put(self, course: str, assignment: str, student: str, moment: str) -> None:
        put = self.store.put_feedback
        listing = await self.take(lambda upload: put(course, assignment, student, moment, upload))
        self.finish(_files(listing))


def _files(listing: Listing) -> dict[str, Any]:
    return {"sha256": listing.sha256, "size": listing.size, "files": [[e.path, e.sha256] for e in listing.entries]}


def _inbox(store: Store, courses: list[str], assignment: str | None, student: str | None) -> dict[str, Any]:
    """Receipts with the names of the files, and the feedback of everybody who handed in."""
    submissions: list[dict[str, Any]] = []
    feedback: list[dict[str, Any]] = []
    for course in courses:
        for one in [assignment] if assignment is not None else store.all_assignments(course):
            for who in store.students(course, one) if student is None else [student]:
                for receipt in store.submissions(course, one, who):
                    files = _names(store.submission(course, one, who, receipt.submission))
                    submissions.append({"student": who, "receipt": json.loads(receipt.text), "files": files})
                for moment, path in store.feedback(course, one, who).items():
                    said = {"course": course, "assignment": one, "student": who, "moment": moment}
                    feedback.append(said | _files(listing_of(path)))
    return {"submissions": submissions, "feedback": feedback}


def _names(path: Path) -> list[str]:
    """The files in the bundle `path`; none if the disk has spoilt it, so that the others are still listed."""
    try:
        return [entry.path for entry in listing_of(path).entries]
    except UstodError as error:
        log.error("%s is spoilt: %s", path, error)
        return []


def listen(url: str) -> list[socket.socket]:
    """Sockets that hear what is sent to `url`."""
    parts = urlsplit(url)
    return bind_sockets(parts.port or 80, parts.hostname or "127.0.0.1", family=socket.AF_INET, backlog=512)


async def serve(service: Service, sockets: list[socket.socket], prefix: str) -> None:
    """Answer until SIGTERM or SIGINT comes, then finish what is under way."""
    largest = max(service.store.quota.release, service.store.quota.upload) + LONGEST_LIST
    server = HTTPServer(
        service.application(prefix),
        max_body_size=largest,
        chunk_size=PIECE,
        max_buffer_size=4 * PIECE,
        idle_connection_timeout=HEAD,
        body_timeout=BODY,
    )
    server.add_sockets(sockets)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await end.wait()
    server.stop()
    for _ in range(GRACE * 10):
        if not service.under_way:
            break
        await asyncio.sleep(0.1)
    await server.close_all_connections()


def main() -> None:
    """Run the service."""
    usual = Quota()
    parser = argparse.ArgumentParser(prog="python -m autograder.hub.exchange.service", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the folder that it keeps; its account's alone")
    parser.add_argument("--upload-limit", type=int, default=usual.upload, help="bytes of one submission")
    parser.add_argument("--submissions", type=int, default=usual.submissions, help="of one student to one assignment")
    parser.add_argument("--keep-free", type=int, default=usual.free, help="bytes of the disk that stay free")
    options = parser.parse_args()
    os.umask(0o077)
    enable_pretty_logging(logger=logging.getLogger())
    logging.getLogger().setLevel(logging.INFO)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    environment = os.environ
    sockets = listen(environment["JUPYTERHUB_SERVICE_URL"])
    quota = Quota(upload=options.upload_limit, submissions=options.submissions, free=options.keep_free)
    name = environment.get("JUPYTERHUB_SERVICE_NAME", "exchange")
    identities = Identities(environment["JUPYTERHUB_API_URL"], name)
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX", f"/services/{name}/")
    log.info("The exchange keeps %s and answers under %s", options.root, prefix)
    asyncio.run(serve(Service(Store(options.root, quota), identities), sockets, prefix))


if __name__ == "__main__":
    main()
