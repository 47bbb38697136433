"""The same ``lab.toml`` on a cluster: values that the chart takes, objects that Kubernetes takes."""

from __future__ import annotations

import copy
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import tomlkit
import yaml
from hub.z2jh import configured, form, mistakes, pod_and_claim
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kubernetes_asyncio.config import kube_config
from traitlets.config import Config

from autograder.errors import UstodError
from autograder.hub.kubernetes import names, render_manifests, render_values, write_values
from autograder.hub.kubernetes.write import dump, render_secrets
from autograder.hub.lab import COURSE, Lab, read_lab
from autograder.hub.roster import ID, RESERVED

#: The oldest version that the chart runs on, and the newest whose rules are at hand.
VERSIONS = ("1.33", kubernetes_validate.latest_version())

LAB: dict[str, Any] = {
    "server": {"name": "lab.example.tj"},
    "limits": {"memory": "2 GiB", "cpu": 2},
    "backup": {"folder": "/mnt/stick"},
    "kubernetes": {"models_claim": "models", "storage_class": "fast"},
    "instructors": [{"id": "rahimov", "name": "Раҳимов Ҷамшед"}],
    "courses": [
        {"name": "ai_1", "title": "Сунъӣ", "units": ["u01"], "instructors": ["rahimov"], "roster": "рӯйхат.csv"},
        {"name": "ai-1", "instructors": ["rahimov"]},
    ],
}
STUDENTS = ["0123;Ғанӣ Ҷӯраев", "1e3;no", "s2301;Қосимова Ӯғулой"]

MakeLab = Callable[..., Lab]


@pytest.fixture(scope="session", autouse=True)
def some_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """KubeSpawner wants to know of a cluster, though none is asked."""
    path = tmp_path_factory.mktemp("cluster") / "config"
    content = {
        "current-context": "none",
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "none", "user": {}}],
    }
    path.write_text(yaml.safe_dump(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        yield


@pytest.fixture
def make_lab(tmp_path: Path) -> MakeLab:
    """A lab, with sections of `LAB` replaced."""

    def make(students: list[str] = STUDENTS, **sections: Any) -> Lab:
        return lab_in(tmp_path, LAB | sections, students)

    return make


def lab_in(folder: Path, content: dict[str, Any], students: list[str]) -> Lab:
    (folder / "lab.toml").write_text(tomlkit.dumps(content), "utf-8")
    (folder / "рӯйхат.csv").write_text("\n".join(["id;name", *students]), "utf-8")
    return read_lab(folder / "lab.toml")


def is_valid(thing: dict[str, Any]) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(thing, version, strict=True)


# The values


def test_the_chart_takes_the_values(make_lab: MakeLab) -> None:
    for lab in (make_lab(), make_lab(tls={"mode": "off"}), make_lab(login={"kind": "lti"}), make_lab(courses=[])):
        assert mistakes(render_values(lab)) == []


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ("singleuser", "memmory", {"limit": "1G"}),
        ("singleuser.storage", "capacity", 5),
        ("singleuser.networkPolicy.egressAllowRules", "privateIP", False),
        ("hub.db", "type", "sqlite"),
        ("hub.config", "loadRoles", {}),
        ("hub.services", "command", {"name": "command"}),
        ("hub.pdb", "minAvailable", True),
        ("cull", "enable", False),
        ("prePuller.hook", "enabled", "no"),
    ],
)
def test_a_mistake_in_the_values_would_be_found(make_lab: MakeLab, place: str, key: str, value: object) -> None:
    values = copy.deepcopy(render_values(make_lab()))
    table = values
    for part in place.split("."):
        table = table[part]
    table[key] = value
    assert len(mistakes(values)) == 1


def test_a_course_may_be_called_what_means_something_else_to_the_chart(make_lab: MakeLab) -> None:
    courses = [{"name": name, "instructors": ["rahimov"]} for name in ("command", "url", "admin", "name", "hub", "no")]
    values = render_values(make_lab(courses=courses))
    assert mistakes(values) == []
    assert [service["name"] for service in values["hub"]["services"].values()][1:] == [one["name"] for one in courses]


def test_students_hand_in_and_only_those_who_teach_open_formgrader(make_lab: MakeLab) -> None:
    roles = render_values(make_lab())["hub"]["loadRoles"]
    assert roles["students-ai_1"]["scopes"] == ["access:services!service=exchange"]
    formgrader = [name for name, role in roles.items() if "access:services!service=ai_1" in role["scopes"]]
    assert formgrader == ["instructors-ai_1"]
    scopes = {scope for role in roles.values() for scope in role["scopes"]}
    assert not [scope for scope in scopes if scope.startswith(("admin", "access:servers", "proxy", "tokens"))]


def test_every_service_of_the_hub_has_its_address_its_pod_and_its_key(make_lab: MakeLab) -> None:
    lab = make_lab()
    objects = {(one["kind"], one["metadata"]["name"]): one for one in render_manifests(lab)}
    for key, service in render_values(lab)["hub"]["services"].items():
        host, port = service["url"].removeprefix("http://").split(":")
        assert objects["Service", host]["spec"]["ports"][0]["port"] == int(port)
        template = objects["Deployment", host]["spec"]["template"]
        assert objects["Service", host]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        variables = {one["name"]: one for one in template["spec"]["containers"][0]["env"]}
        token = variables["JUPYTERHUB_API_TOKEN"]["valueFrom"]["secretKeyRef"]
        assert token == {"name": "hub", "key": f"hub.services.{key}.apiToken"}
        assert variables["JUPYTERHUB_SERVICE_NAME"]["value"] == service["name"]


def test_accounts_of_a_machine_are_refused(make_lab: MakeLab) -> None:
    with pytest.raises(UstodError, match=r'lab.toml says login.kind = "pam", but pods have no accounts'):
        render_values(make_lab(login={"kind": "pam"}))


def test_keys_and_peoples_names_are_in_the_secrets_alone(make_lab: MakeLab, tmp_path: Path) -> None:
    setting = {"client_id": "ustod", "client_secret": "very-secret", "GitHubOAuthenticator.scope": ["read:user"]}
    login = {"kind": "oauth", "class_name": "oauthenticator.github.GitHubOAuthenticator", "settings": setting}
    lab = make_lab(login=login)
    paths = write_values(lab, tmp_path / "out" / "values.yaml")
    values, manifests, secrets = (path.read_text("utf-8") for path in paths)
    for text in ("very-secret", "Ҷӯраев", "0123", "Раҳимов"):
        assert text not in values + manifests
        assert text in secrets
    assert stat.S_IMODE(paths[2].stat().st_mode) == 0o600
    config = yaml.safe_load(values)["hub"]["config"]["GitHubOAuthenticator"]
    assert config == {"client_id": "ustod", "scope": ["read:user"]}
    only_hub, *_ = [one for one in render_secrets(lab) if one["metadata"]["name"] == names.LOGIN_SECRET]
    assert yaml.safe_load(only_hub["stringData"]["values.yaml"])["hub"]["config"]["GitHubOAuthenticator"] == {
        "client_secret": "very-secret"
    }
    assert values.startswith("# Made from 'lab.toml' by `ustod hub render kubernetes`")


def test_pods_read_the_same_lab(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab(storage={"root": "/data"})
    (tmp_path / "pod").mkdir()
    for name, text in render_secrets(lab)[0]["stringData"].items():
        (tmp_path / "pod" / name).write_text(text, "utf-8")
    again = read_lab(tmp_path / "pod" / "lab.toml")
    assert again.people == lab.people
    assert again.limits == lab.limits
    assert [course.units for course in again.courses] == [["u01"], []]
    assert again.storage.root == Path("/srv/ustod")
    assert again.backup.folder == Path("/srv/backup")


def test_class_lists_that_no_cluster_keeps_are_refused(make_lab: MakeLab) -> None:
    everybody = [f"s{number};{'Ғ' * 200}" for number in range(3000)]
    with pytest.raises(UstodError, match="more than the 1023 KiB that a cluster keeps"):
        render_secrets(make_lab(everybody))


# Students' servers, as KubeSpawner makes them


def test_a_students_pod_has_its_limits_and_no_rights(make_lab: MakeLab) -> None:
    made, claim = pod_and_claim(configured(render_values(make_lab())), "s2301")
    is_valid(made)
    is_valid(claim)
    container = made["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": 2.0, "memory": 2 << 30, "ephemeral-storage": "2Gi"}
    assert container["resources"]["requests"] == {"cpu": 0.5, "memory": 1 << 30}
    rights = container["securityContext"]
    assert (rights["runAsUser"], rights["runAsGroup"], rights["runAsNonRoot"]) == (1000, 1000, True)
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert made["spec"]["automountServiceAccountToken"] is False
    assert claim["spec"]["storageClassName"] == "fast"


def test_models_are_shared_for_reading_and_nothing_is_shared_for_writing(make_lab: MakeLab) -> None:
    made, claim = pod_and_claim(configured(render_values(make_lab())), "s2301")
    claims = [one["persistentVolumeClaim"] for one in made["spec"]["volumes"] if "persistentVolumeClaim" in one]
    assert {one["claimName"]: one.get("readOnly", False) for one in claims} == {
        "models": True,
        claim["metadata"]["name"]: False,
    }


def test_no_two_people_share_a_volume(make_lab: MakeLab) -> None:
    c = configured(render_values(make_lab()))
    people = ["a-b", "a_b", "a--b", "1e3", "0123", "s" * 25]
    made = [pod_and_claim(c, who) for who in people]
    for kind in zip(*made, strict=True):
        assert len({one["metadata"]["name"] for one in kind}) == len(people)
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", one["metadata"]["name"]) for one in kind)


def test_only_those_who_teach_choose_a_large_server(
    make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = in_the_hubs_pod(make_lab(login={"kind": "lti"}), tmp_path, monkeypatch)
    assert form(c, "s2301", "nbgrader-ai_1") == ""
    assert "Калон" in form(c, "rahimov", "formgrade-ai_1")
    large, _ = pod_and_claim(c, "rahimov", "formgrade-ai_1", profile="large")
    assert large["spec"]["containers"][0]["resources"]["limits"]["memory"] == 4 << 30
    is_valid(large)
    with pytest.raises(ValueError, match="No such profile: large"):
        pod_and_claim(c, "s2301", "nbgrader-ai_1", profile="large")


def test_the_hub_knows_who_may_come_in_and_who_is_in_which_course(
    make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = in_the_hubs_pod(make_lab(login={"kind": "lti"}), tmp_path, monkeypatch)
    assert c.Authenticator.allowed_users == {"0123", "1e3", "s2301", "rahimov"}
    assert c.JupyterHub.load_groups["nbgrader-ai_1"] == {"users": ["0123", "1e3", "s2301"]}
    assert c.JupyterHub.authenticator_class == "ltiauthenticator.lti13.auth.LTI13Authenticator"


def in_the_hubs_pod(lab: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration after the chart's and ours, with the lab read from the Secret as it is written to disk."""
    values, _, secrets = write_values(lab, folder / "out" / "values.yaml")
    for name, text in next(yaml.safe_load_all(secrets.read_text("utf-8")))["stringData"].items():
        (folder / "out" / name).write_text(text, "utf-8")
    monkeypatch.setenv("USTOD_LAB", str(folder / "out" / "lab.toml"))
    content = yaml.safe_load(values.read_text("utf-8"))
    c = configured(content)
    for code in content["hub"]["extraConfig"].values():
        exec(code, {"c": c, "get_config": lambda: c})
    return c


# The objects that the chart does not make


def test_kubernetes_takes_the_objects(make_lab: MakeLab) -> None:
    for lab in (make_lab(), make_lab(kubernetes={"access_mode": "ReadWriteMany"}), make_lab(courses=[])):
        for thing in [*render_manifests(lab), *render_secrets(lab)]:
            is_valid(thing)


def test_a_mistake_in_an_object_would_be_found(make_lab: MakeLab) -> None:
    thing = copy.deepcopy(next(one for one in render_manifests(make_lab()) if one["kind"] == "Deployment"))
    thing["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        is_valid(thing)


def test_pods_reach_the_hub_the_exchange_and_names_and_nothing_else(make_lab: MakeLab) -> None:
    values = render_values(make_lab())["singleuser"]["networkPolicy"]
    assert [rule for rule, open_ in values["egressAllowRules"].items() if open_] == ["dnsPortsKubeSystemNamespace"]
    assert [rule["to"] for rule in values["egress"]] == [[{"podSelector": {"matchLabels": names.labels("exchange")}}]]
    for policy in (one for one in render_manifests(make_lab()) if one["kind"] == "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in [*policy["spec"].get("egress", []), *policy["spec"].get("ingress", [])]:
            assert rule["ports"]
            assert all("ipBlock" not in to for to in rule.get("to", []) + rule.get("from", []))


def test_only_the_exchange_answers_students(make_lab: MakeLab) -> None:
    for policy in (one for one in render_manifests(make_lab()) if one["kind"] == "NetworkPolicy"):
        callers = [one for rule in policy["spec"].get("ingress", []) for one in rule["from"]]
        answers = {"podSelector": {"matchLabels": {names.COMPONENT: "singleuser-server"}}} in callers
        assert answers == (policy["metadata"]["name"] == "ustod-exchange")


def test_volumes_for_one_node_keep_their_pods_on_the_hubs_node(make_lab: MakeLab) -> None:
    def is_beside_the_hub(lab: Lab) -> set[bool]:
        specs = [one["spec"]["template"]["spec"] for one in render_manifests(lab) if one["kind"] == "Deployment"]
        return {"affinity" in spec for spec in specs}

    assert is_beside_the_hub(make_lab()) == {True}
    assert is_beside_the_hub(make_lab(kubernetes={"access_mode": "ReadWriteMany"})) == {False}


def test_the_backup_has_every_volume_at_its_usual_place(make_lab: MakeLab) -> None:
    (job,) = [one for one in render_manifests(make_lab()) if one["kind"] == "CronJob"]
    assert job["spec"]["schedule"] == "30 2 * * *"
    mounts = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {one["mountPath"] for one in mounts} == {
        "/srv/ustod/hub",
        "/srv/ustod/exchange",
        "/srv/ustod/courses/ai_1",
        "/srv/ustod/courses/ai-1",
        "/srv/backup",
        "/etc/ustod",
    }


# Any lab

word = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
course_name = st.from_regex(COURSE, fullmatch=True).filter(lambda text: not text.startswith(("exchange", *RESERVED)))
person_id = st.from_regex(ID, fullmatch=True).filter(lambda text: not text.startswith(RESERVED))
size = st.integers(1 << 20, 1 << 44)
#: What some reader of YAML takes for something else than text.
AMBIGUOUS = "no y _ _1 on ~ null 1e3 0123 0o17 089 12:30 1_000 .5 = << 0x1F 2026-01-01 - ? -1 +1e-3 .inf"
LIKE = {"instructors": ["t"]}


@st.composite
def labs(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    ids = draw(st.lists(person_id, min_size=2, max_size=8, unique=True))
    teacher, *students = ids
    courses = [
        {"name": name, "title": draw(word), "instructors": [teacher], "roster": "рӯйхат.csv"}
        for name in draw(st.lists(course_name, max_size=3, unique=True))
    ]
    content = {
        "name": draw(word),
        "limits": {"memory": draw(size), "cpu": draw(st.floats(1e-9, 1e4)), "file_size": draw(size)},
        "backup": {"folder": "/b", "at": draw(st.times()).strftime("%H:%M")} if draw(st.booleans()) else {},
        "kubernetes": {"home": draw(size), "course": draw(size)},
        "instructors": [{"id": teacher, "name": draw(word), "email": draw(word)}],
        "courses": courses,
    }
    letters = st.text("абвғӣқӯҳҷ АЯ'-\"<&{$`\\|:#%@!*0123456789noey", max_size=20)
    return content, [f"{who};{draw(letters).replace(';', '')}" for who in students]


@given(labs())
@settings(max_examples=12)
@example(({"instructors": [{"id": "t"}], "courses": [LIKE | {"name": name} for name in ("a_b", "a-b", "a--b")]}, []))
def test_any_lab_gives_objects_with_names_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, content: tuple[dict[str, Any], list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("lab")
    lab = lab_in(folder, *content)
    values = render_values(lab)
    assert mistakes(values) == []
    objects = render_manifests(lab)
    for thing in objects:
        kubernetes_validate.validate(thing, VERSIONS[-1], strict=True)
    made = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for _, name in made)
    assert read_as_go(dump(objects)) == objects
    for path, documents in zip(
        write_values(lab, folder / "values.yaml"), ([values], objects, render_secrets(lab)), strict=True
    ):
        assert list(yaml.safe_load_all(path.read_text("utf-8"))) == documents


@given(word | st.sampled_from(AMBIGUOUS.split()))
@example("_")
def test_text_stays_text(text: str) -> None:
    for key, value in ((text, "value"), ("key", text), ("key", f"{text}\n{text}\n")):
        assert read_as_go(dump([{key: [value]}])) == [{key: [value]}]
        assert yaml.safe_load(dump([{key: [value]}])) == {key: [value]}


class _Go(yaml.SafeLoader):
    """What Helm and kubectl, which are written in Go, take for numbers and switches beyond what PyYAML does."""


GO = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?0[obx][0-9A-Fa-f_]+|[0-9_]+|[yYnN]|~|[Nn]ull|NULL|<<|="
_Go.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(rf"^({GO})$"), None)


def read_as_go(text: str) -> list[Any]:
    """`text`, with null where a reader in Go might see something else than PyYAML does, unless it is a number there."""
    loader = _Go(text)
    found = []
    while loader.check_data():
        found.append(loader.get_data())
    return found
