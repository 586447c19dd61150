"""deploy/kubernetes/eventflow.yaml keeps to what docs/kubernetes.md promises, and names only what there is."""

import re
from typing import Any

import pytest
import yaml

from tests.conventions.test_configuration import documented
from tests.run.instance import PROJECT

PARTS: list[dict[str, Any]] = list(yaml.safe_load_all((PROJECT / "deploy/kubernetes/eventflow.yaml").read_text()))
PODS = {
    part["metadata"]["name"]: part["spec"]["template"]["spec"]
    for part in PARTS
    if part["kind"] in ("Job", "Deployment")
}
CONTAINERS = {container["name"]: container for pod in PODS.values() for container in pod["containers"]}
PAGE = (PROJECT / "docs/kubernetes.md").read_text()
COMPOSE = yaml.safe_load((PROJECT / "deploy/compose.yaml").read_text())["services"]
DOCKERFILE = (PROJECT / "deploy/Dockerfile").read_text()
# Those that write counters, of which web servers tell.
COUNTING = {"web": "web", "worker": "worker", "beat": "beat", "counters": "web"}


def part(kind: str, name: str) -> dict[str, Any]:
    [found] = [part for part in PARTS if (part["kind"], part["metadata"]["name"]) == (kind, name)]
    return found


def variables(container: str) -> dict[str, str]:
    return {said["name"]: said["value"] for said in CONTAINERS[container].get("env", ())}


def settings() -> dict[str, str]:
    return dict(part("ConfigMap", "eventflow")["data"])


def secrets() -> set[str]:
    """The variables that the page says to put there."""
    return set(re.findall(r"`([A-Z_]+)`", PAGE.partition("**Secrets.**")[2].partition(", the same for")[0]))


# --- names ---


def test_every_variable_is_one_of_ours() -> None:
    named = {*settings(), *secrets(), *(name for each in CONTAINERS for name in variables(each))}
    assert len(named) > 10
    assert named - documented() == set()


def test_nothing_secret_is_in_the_manifest_and_all_that_compose_wants_to_be_told_is_somewhere() -> None:
    assert set(settings()).isdisjoint(secrets())
    asked = {name for name, value in COMPOSE["web"]["environment"].items() if ":?" in str(value)}
    assert asked <= {*settings(), *secrets()}


def test_every_container_has_the_settings_and_the_secret_of_one_image() -> None:
    assert CONTAINERS.keys() == {"migrate", "web", "worker", "beat", "counters"}
    assert len({container["image"] for container in CONTAINERS.values()}) == 1
    for container in CONTAINERS.values():
        assert container["envFrom"] == [{"configMapRef": {"name": "eventflow"}}, {"secretRef": {"name": "eventflow"}}]


def test_what_selects_pods_finds_its_own() -> None:
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in PARTS
        if each["metadata"]["name"] in PODS and "template" in each["spec"]
    }
    web = {"app": "eventflow", "part": "web"}
    assert [name for name, found in labels.items() if found == web] == ["eventflow-web"]
    assert part("Service", "eventflow")["spec"]["selector"] == web
    assert part("PodDisruptionBudget", "eventflow-web")["spec"]["selector"]["matchLabels"] == web
    for name in ("eventflow-web", "eventflow-background"):
        deployment = part("Deployment", name)
        assert deployment["spec"]["selector"]["matchLabels"] == labels[name] == deployment["metadata"]["labels"]


# --- what each may do ---


@pytest.mark.parametrize("name", PODS)
def test_no_pod_is_root_or_speaks_to_the_cluster(name: str) -> None:
    pod = PODS[name]
    [user] = re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(user),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_can_gain_a_capability_write_to_its_root_or_take_all_memory(name: str) -> None:
    container = CONTAINERS[name]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_each_can_write_where_it_must_and_nowhere_that_lasts(name: str) -> None:
    [pod] = [pod for pod in PODS.values() if CONTAINERS[name] in pod["containers"]]
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINERS[name]["volumeMounts"]}
    assert mounts == {"/tmp": "tmp"} | ({"/run/eventflow": "counters"} if name in COUNTING else {})
    assert {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume} >= set(mounts.values())


# --- what each does ---


def test_each_program_counts_in_a_directory_of_its_own_and_one_tells_of_worker_and_beat() -> None:
    for name, directory in COUNTING.items():
        assert variables(name)["PROMETHEUS_MULTIPROC_DIR"] == f"/run/eventflow/{directory}"
    told = variables("counters")["EVENTFLOW_METRICS_MORE_DIRS"].split(",")
    assert told == [variables(name)["PROMETHEUS_MULTIPROC_DIR"] for name in ("worker", "beat")]
    assert "PROMETHEUS_MULTIPROC_DIR" not in variables("migrate"), "it would leave counters behind"


def test_the_job_migrates_and_is_named_after_its_release() -> None:
    assert CONTAINERS["migrate"]["command"] == ["eventflow", "manage", "migrate", "--no-input"]
    version = CONTAINERS["migrate"]["image"].partition(":")[2].replace(".", "-")
    assert part("Job", f"eventflow-migrate-{version}")["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_web_servers_are_those_of_the_image() -> None:
    for name in ("web", "counters"):
        assert "command" not in CONTAINERS[name]
        assert "args" not in CONTAINERS[name]
        assert [port["containerPort"] for port in CONTAINERS[name]["ports"]] == [8000]
    assert '"--port", "8000"' in DOCKERFILE


def test_only_what_asks_no_database_restarts_a_container() -> None:
    asked = {
        (name, probe): container[probe]["httpGet"]["path"]
        for name, container in CONTAINERS.items()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if probe in container
    }
    assert asked == {
        ("web", "startupProbe"): "/healthz",
        ("web", "livenessProbe"): "/healthz",
        ("web", "readinessProbe"): "/readyz",
        ("counters", "livenessProbe"): "/healthz",
    }
    # It may take three seconds to say that PostgreSQL is away.
    assert CONTAINERS["web"]["readinessProbe"]["timeoutSeconds"] > 3


def test_a_web_server_has_time_to_be_left_out_and_to_finish() -> None:
    _, pause = CONTAINERS["web"]["lifecycle"]["preStop"]["exec"]["command"]
    finishes = int(COMPOSE["web"]["stop_grace_period"].removesuffix("s"))
    assert PODS["eventflow-web"]["terminationGracePeriodSeconds"] >= int(pause) + finishes
    works = int(COMPOSE["worker"]["stop_grace_period"].removesuffix("s"))
    assert PODS["eventflow-background"]["terminationGracePeriodSeconds"] >= works


def test_there_are_never_two_beats_and_always_a_web_server() -> None:
    beats = [name for name, pod in PODS.items() if CONTAINERS["beat"] in pod["containers"]]
    assert beats == ["eventflow-background"]
    background, web = (part("Deployment", name)["spec"] for name in ("eventflow-background", "eventflow-web"))
    assert (background["replicas"], background["strategy"]) == (1, {"type": "Recreate"})
    assert web["replicas"] > part("PodDisruptionBudget", "eventflow-web")["spec"]["maxUnavailable"]
    assert web["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_page_names_what_there_is() -> None:
    for kind, name in re.findall(r"\b(deploy|deployment)/(eventflow-[a-z]+)", PAGE):
        assert part("Deployment", name), kind
    assert set(re.findall(r"-l part=([a-z]+)", PAGE)) <= {each["metadata"]["labels"]["part"] for each in PARTS}
