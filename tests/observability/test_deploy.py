"""What lies in deploy/ holds together, as far as that can be seen without running it."""

import functools
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import consumers.metrics
import observability.alerts.metrics
import observability.telemetry.http_metrics
import observability.telemetry.task_metrics
import streams.metrics
from eventflow_site.layout import PACKAGES
from eventflow_site.supervisor import programs
from eventflow_site.supervisor.configuration import Configuration
from eventflow_site.supervisor.home import Home
from observability.numbers.collectors import (
    background_families,
    database_families,
    disk_families,
    engine_families,
    group_families,
    stream_families,
)
from observability.numbers.mirrors import mirror_families
from streams.log.protocol import LogHealth
from tests.run.instance import PROJECT

DEPLOY = PROJECT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "eventflow.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
METRICS = (PROJECT / "docs" / "metrics.md").read_text()
_METRIC = re.compile(r"\beventflow_[a-z_]+\b")
COUNTING = (
    consumers.metrics,
    observability.telemetry.http_metrics,
    observability.telemetry.task_metrics,
    streams.metrics,
    observability.alerts.metrics,
)


def needs(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"needs {program}: apt-get install {package}")
    return path


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def families() -> dict[str, str]:
    """Every metric that /metrics can hold, with its type."""
    assert all(COUNTING), "what counts is loaded, so that it is in the registry"
    counted = {
        family.name: family.type for family in text_string_to_metric_families(generate_latest(REGISTRY).decode())
    }
    computed = [
        *database_families(is_durable=True, heartbeats=[]),
        *disk_families(None, remembered_ids_bytes=0),
        *engine_families({"kafka-main": LogHealth(is_writable=True, is_durable=True)}, [], []),
        *mirror_families([]),
        *background_families(not_merged=0, overdue_streams=0),
        *stream_families({}),
        *group_families([]),
    ]
    found = counted | {family.name.removesuffix("_total"): family.kind for family in computed}
    found |= dict.fromkeys(("eventflow_database_up", "eventflow_scrape_complete", "eventflow_scrape_seconds"), "gauge")
    return {name: kind for name, kind in found.items() if name.startswith("eventflow_")}


@functools.cache
def series() -> set[str]:
    """Every name that a query may use."""
    names = set()
    for name, kind in families().items():
        names |= {
            "counter": {f"{name}_total"},
            "histogram": {f"{name}_bucket", f"{name}_count", f"{name}_sum"},
        }.get(kind, {name})
    return names


# --- Prometheus ---


@pytest.mark.processes
def test_prometheus_takes_the_rules_and_the_scrape_configuration():
    promtool = needs("promtool", "prometheus")
    for command in (("check", "rules", "alerts.yml"), ("check", "config", "--syntax-only", "prometheus.yml")):
        done = run(promtool, *command, cwd=PROMETHEUS)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.processes
def test_every_alert_fires_when_it_should_and_not_otherwise():
    done = run(needs("promtool", "prometheus"), "test", "rules", "alerts_test.yml", cwd=PROMETHEUS)
    assert done.returncode == 0, done.stdout + done.stderr


def scenarios_of(alert: str) -> dict[str, Any]:
    """Those of alerts_test.yml that look at this alert: if one of them notices, all of them together do."""
    found = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())
    found["tests"] = [
        each for each in found["tests"] if alert in {test["alertname"] for test in each.get("alert_rule_test", ())}
    ]
    return found


@pytest.mark.processes
@pytest.mark.parametrize("always", ["vector(1) > 2", "vector(1)"], ids=["never", "always"])
@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_the_tests_notice_an_alert_that_never_or_always_fires(alert, always, tmp_path):
    promtool = needs("promtool", "prometheus")
    broken = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    for rule in broken["groups"][0]["rules"]:
        if rule["alert"] == alert:
            rule["expr"] = always
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(broken))
    (tmp_path / "alerts_test.yml").write_text(yaml.safe_dump(scenarios_of(alert)))
    assert run(promtool, "test", "rules", "alerts_test.yml", cwd=tmp_path).returncode != 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_metrics_that_exist_and_says_what_to_do(rule):
    assert set(_METRIC.findall(rule["expr"])) - {"eventflow"} <= series()
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert f"| `{rule['alert']}` |" in OPERATIONS


# --- Grafana ---


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_asks_for_metrics_that_exist(panel):
    for target in panel["targets"]:
        names = set(_METRIC.findall(target["expr"]))
        assert names
        assert names <= series()


@pytest.mark.processes
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_query_is_one_that_prometheus_understands(panel, tmp_path):
    promtool = needs("promtool", "prometheus")
    expressions = [target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panel", "rules": rules}]}))
    done = run(promtool, "check", "rules", tmp_path / "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_in_order():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]
    for panel in PANELS:
        assert panel["datasource"]["uid"] == source["uid"]
        assert panel["fieldConfig"]["defaults"]["unit"]
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "no panel covers another"
    assert max(x for x, _ in cells) < 24


# --- the pages of operations and metrics ---


def test_every_metric_is_explained_and_every_explained_metric_exists():
    """`tests/conventions/metrics.py` reads them from the source; here they are asked for."""
    section = METRICS.partition("## What there is")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in _METRIC.findall(row.split(" | ")[0])}
    known = {f"{name}_total" if kind == "counter" else name for name, kind in families().items()}
    assert explained == known


def test_every_alert_that_is_explained_exists():
    assert set(re.findall(r"^\| `(EventFlow\w+)`", OPERATIONS, re.MULTILINE)) == {rule["alert"] for rule in RULES}


# --- commands and settings: the same ones everywhere ---


def options_of(program: str) -> list[str]:
    """The words after `python -m` with which `manage.py up` starts a program, without places and numbers."""
    started: list[list[str]] = []
    with Path("/dev/null").open() as lock, pytest.MonkeyPatch.context() as patched:
        home = Home(path=Path("/tmp"), lock=lock)
        patched.setattr(programs, "_child", lambda _name, module, _home, _env: started.append(module))
        if program == "web":
            programs.web(Configuration("HOST", 1, 2, Path("/tmp"), None, None), home, {})
        else:
            getattr(programs, program)(home, {})
    return started[0]


def comparable(words: list[str]) -> list[str]:
    """Words without what each place says for itself."""
    own = {"--host", "--port", "--workers", "--workers-kill-timeout", "--schedule"}
    kept, skip = [], False
    for word in words:
        if not skip and word not in own:
            kept.append(word)
        skip = word in own
    return kept


COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "eventflow.yaml").read_text()))


def containers_in_kubernetes() -> dict[str, dict[str, Any]]:
    pods = [part["spec"]["template"]["spec"] for part in KUBERNETES if part["kind"] in ("Job", "Deployment")]
    return {container["name"]: container for pod in pods for container in pod["containers"]}


def commands_in_deploy(program: str) -> list[list[str]]:
    unit = (DEPLOY / "systemd" / f"eventflow-{program}{'@' if program == 'web' else ''}.service").read_text()
    systemd = re.search(r"^ExecStart=\S+ -m (.+)$", unit, re.MULTILINE)[1].split()
    if program == "web":
        container = json.loads(
            re.search(r"^CMD (\[.+?\])$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE | re.DOTALL)[1]
        )
        return [systemd, container[2:]]
    containers = (COMPOSE["services"][program], containers_in_kubernetes()[program])
    return [systemd, *(each["command"][2:] for each in containers)]


@pytest.mark.parametrize("program", ["web", "worker", "beat"])
def test_what_is_deployed_starts_as_make_run_starts_it(program):
    for command in commands_in_deploy(program):
        assert comparable(command) == comparable(options_of(program))


def variables_in_deploy() -> set[str]:
    systemd = (DEPLOY / "systemd/eventflow.env.example").read_text()
    composed = COMPOSE["x-eventflow"]["environment"].keys() | COMPOSE["services"]["worker"]["environment"].keys()
    image = re.findall(r"^(?:ENV| {4})\s*([A-Z_]+)=", DOCKERFILE, re.MULTILINE)
    [settings] = [part["data"] for part in KUBERNETES if part["kind"] == "ConfigMap"]
    own = {said["name"] for container in containers_in_kubernetes().values() for said in container.get("env", ())}
    return {*re.findall(r"^([A-Z_]+)=", systemd, re.MULTILINE), *composed, *image, *settings, *own}


def test_every_variable_that_is_set_is_documented():
    known = set(re.findall(r"^\| `([A-Z_]+)", (PROJECT / "docs/configuration.md").read_text(), re.MULTILINE))
    known |= {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}
    known |= set(re.findall(r"`([A-Z_]{6,})`", (PROJECT / "docs/configuration.md").read_text()))
    assert variables_in_deploy() <= known


def test_compose_trusts_no_proxy_since_it_starts_none():
    example = (DEPLOY / "compose.env.example").read_text()
    assert not any("nginx" in str(service.get("image")) for service in COMPOSE["services"].values())
    assert re.findall(r"^EVENTFLOW_TRUSTED_PROXIES=(.*)$", example, re.MULTILINE) == ["0"]


def test_what_compose_asks_for_is_in_its_example():
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", (DEPLOY / "compose.yaml").read_text()))
    offered = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    assert asked <= offered


def test_what_the_example_offers_reaches_a_container():
    offered = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)[:}]", (DEPLOY / "compose.yaml").read_text()))
    assert offered <= used


def test_containers_are_in_order():
    services = COMPOSE["services"]
    assert services.keys() == {"web", "worker", "beat", "migrate", "postgres", "valkey", "prometheus", "grafana"}
    for name, service in services.items():
        assert service.get("restart") == ("no" if name == "migrate" else "unless-stopped"), name
        assert "logging" in service, name
        if "image" in service and not service["image"].startswith("eventflow:"):
            assert re.search(r":v?\d", service["image"]), f"{name} follows a moving tag"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
        for other in service.get("depends_on", {}):
            assert other in services
    for name in ("web", "worker", "beat", "migrate"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert COMPOSE["services"]["postgres"]["command"][0] == "postgres"
    for weak in ("fsync=off", "synchronous_commit=off", "full_page_writes=off"):
        assert weak not in (DEPLOY / "compose.yaml").read_text()


OURS = ("web", "worker", "beat", "migrate")


def networks_of(name: str) -> set[str]:
    return set(COMPOSE["services"][name]["networks"])


def test_no_role_that_eventflow_has_is_a_superuser():
    """What the script makes of it is tested in test_deployed_role.py."""
    server = COMPOSE["services"]["postgres"]
    url = COMPOSE["x-eventflow"]["environment"]["DATABASE_URL"]
    role, password = re.match(r"postgresql://(\w+):(\$\{.+?\})@postgres", url).groups()
    assert role != server["environment"]["POSTGRES_USER"]
    assert (
        password == server["environment"]["EVENTFLOW_DATABASE_PASSWORD"] != server["environment"]["POSTGRES_PASSWORD"]
    )
    assert "./postgres:/docker-entrypoint-initdb.d:ro" in server["volumes"]
    assert [path.name for path in (DEPLOY / "postgres").iterdir()] == ["create_role.sh"]
    # Until the script has run, there is a server on the socket alone.
    assert "-h 127.0.0.1" in server["healthcheck"]["test"][1]
    assert not any("POSTGRES_SUPERUSER" in str(COMPOSE["services"][name]) for name in OURS)


def test_no_container_takes_all_memory_or_processes_of_the_machine():
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["pids_limit"] <= 512, name


def test_no_container_has_a_capability_that_it_does_not_need_or_can_gain_one():
    for name, service in COMPOSE["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        # Those that begin as root to become somebody else.
        begins_as_root = name in ("postgres", "valkey")
        gained = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"} if begins_as_root else set()
        assert set(service.get("cap_add", ())) == gained, name
        assert not any("docker.sock" in volume for volume in service.get("volumes", ())), name


def test_databases_are_reached_by_those_who_work_with_them_alone():
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for database in ("postgres", "valkey"):
        assert networks_of(database) == {"data"}
        assert "ports" not in COMPOSE["services"][database]
    assert {name for name in COMPOSE["services"] if "data" in networks_of(name)} == {*OURS, "postgres", "valkey"}
    assert {name for name in COMPOSE["services"] if "edge" in networks_of(name)} == {"web"}
    assert {name for name in COMPOSE["services"] if "outside" in networks_of(name)} == {"worker"}
    assert set().union(*map(networks_of, COMPOSE["services"])) == COMPOSE["networks"].keys()


def test_ports_are_open_to_this_machine_alone_unless_somebody_says_otherwise():
    opened = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(opened) == 3
    assert all(port.startswith(("127.0.0.1:", "${PUBLISH:-127.0.0.1:")) for port in opened)


def test_images_are_pinned_to_a_version_that_does_not_move():
    images = [service["image"] for service in COMPOSE["services"].values() if "image" in service]
    images += re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    for image in set(images) - {COMPOSE["x-eventflow"]["image"]}:
        # PostgreSQL's versions have two numbers, others three.
        numbers = 2 if image.startswith("postgres:") else 3
        assert re.search(rf":v?\d+(\.\d+){{{numbers - 1}}}(-[a-z-]+)?(@sha256:[0-9a-f]{{64}})?$", image), image
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE}"] * 2, "built on what it runs on"


def test_the_image_has_what_it_copies_and_nobody_is_root_in_it():
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)]
    for source in itertools.chain.from_iterable(copied):
        assert (PROJECT / source).exists(), source
        assert source in allowed, source
    packed = {*PACKAGES, "templates"}
    assert packed <= {source.removeprefix("./") for sources in copied for source in sources}
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("\nCMD ")


# --- systemd and nginx, by their own word ---


@pytest.mark.processes
def test_systemd_understands_the_units():
    analyze = needs("systemd-analyze", "systemd")
    units = [*sorted((DEPLOY / "systemd").glob("*.service")), DEPLOY / "systemd" / "eventflow.target"]
    done = run(analyze, "verify", "--man=no", *units)
    complaints = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if "eventflow" in line and "/opt/eventflow/current/.venv/bin/python" not in line
    ]
    assert complaints == []


@pytest.mark.processes
def test_nginx_understands_its_configuration(tmp_path):
    nginx, openssl = needs("nginx", "nginx-light"), needs("openssl", "openssl")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = run(
        *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=events.example"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stderr
    site = (DEPLOY / "nginx" / "eventflow.conf").read_text()
    site = site.replace("/etc/ssl/certs/events.example.pem", str(certificate))
    (tmp_path / "site.conf").write_text(site.replace("/etc/ssl/private/events.example.key", str(key)))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}"
    )
    done = run(nginx, "-t", "-c", tmp_path / "nginx.conf", "-p", tmp_path)
    assert done.returncode == 0, done.stderr
