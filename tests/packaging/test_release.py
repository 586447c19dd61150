"""What `make release-check` finds, and that it would find nothing to speak of today."""

import datetime as dt
import io
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.release import changelog, contents, libraries, versions
from tests.release.packages import PROJECT, packages

TODAY = dt.date(2026, 11, 29)
BEFORE = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n* Streams.\n\n## [0.0.9] - 2026-01-31\n\n* It began.\n"

# --- this repository ---


def test_every_package_names_the_same_version_and_so_do_the_documents():
    found = packages()
    assert found[0].name == "eventflow"
    assert "eventflow-client" in {each.name for each in found[1:]}
    assert versions.complaints(found, PROJECT) == []
    named = {path.name for path in versions.documents(PROJECT)}
    assert {"README.md", "kubernetes.md", "operations.md", "eventflow.yaml"} <= named


def test_nothing_speaks_against_the_changelog():
    text, version = (PROJECT / "CHANGELOG.md").read_text(), packages()[0].version
    assert changelog.complaints(text, version, today=dt.datetime.now(dt.UTC).date()) == []
    assert len(changelog.notes(text, version)) > 100


def test_extras_are_those_that_somebody_installs_to_run_it():
    [server, *_] = packages()
    assert {"embedded", "tracing", "sentry"} <= set(server.extras)
    assert not {"dev", "fuzz"} & set(server.extras)


# --- the changelog ---


def test_what_is_unreleased_becomes_the_section_of_the_version_once():
    after = changelog.cut(BEFORE, "0.1.0", today=TODAY)
    [unreleased, released, first] = changelog.sections(after)
    assert (unreleased.name, unreleased.text) == ("Unreleased", "")
    assert (released.name, released.date, released.text) == ("0.1.0", "2026-11-29", "### Added\n\n* Streams.")
    assert first == changelog.sections(BEFORE)[1]
    assert changelog.complaints(after, "0.1.0", today=TODAY) == []
    assert changelog.notes(after, "0.1.0") == changelog.notes(BEFORE, "0.1.0")
    with pytest.raises(ValueError, match=r"0\.1\.0 has its section already"):
        changelog.cut(after, "0.1.0", today=TODAY)


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        ("## [Unreleased]\n", "0.1.0", "tells nothing of 0.1.0"),
        ("## [0.1.0] - 2026-11-29\n\n* A.\n", "0.1.0", "does not begin with a section [Unreleased]"),
        ("## [Unreleased]\n\n* B.\n\n## [0.1.0] - 2026-11-29\n\n* A.\n", "0.1.0", "changes under [Unreleased]"),
        ("## [Unreleased]\n\n## [0.1.0]\n\n* A.\n", "0.1.0", "wants a date"),
        ("## [Unreleased]\n\n## [0.1.0] - 29.11.2026\n\n* A.\n", "0.1.0", "wants a date"),
        ("## [Unreleased]\n\n## [0.1.0] - 2026-11-30\n\n* A.\n", "0.1.0", "is to come"),
        ("## [Unreleased]\n\n## [0.1.0] - 2026-11-29\n", "0.1.0", "says nothing"),
        (BEFORE + "\n## [0.0.9] - 2026-01-31\n\n* Again.\n", "0.1.0", "2 sections 0.0.9"),
        (
            "## [Unreleased]\n\n## [0.2.0] - 2026-11-01\n\n* A.\n\n## [0.1.0] - 2026-10-01\n\n* A.\n",
            "0.1.0",
            "newest section",
        ),
    ],
)
def test_a_changelog_that_no_release_could_have_is_complained_of(text, version, said):
    complaints = changelog.complaints(text, version, today=TODAY)
    assert any(said in complaint for complaint in complaints), complaints


# --- versions ---


def project_of(
    tmp_path: Path, *, client: str = "0.1.0", wants: str = "eventflow-client>=0.1", readme: str = ""
) -> Path:
    pyproject = (
        '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "{}"\nversion = "{}"\ndependencies = [{}]\n'
    )
    for folder, text in {
        ".": pyproject.format("eventflow", "0.1.0", ""),
        "clients/django": pyproject.format("eventflow-django", "0.1.0", f'"{wants}"'),
        "clients/python": pyproject.format("eventflow-client", client, ""),
    }.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "pyproject.toml").write_text(text)
    (tmp_path / "README.md").write_text(readme)
    return tmp_path


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, []),
        ({"client": "0.2.0"}, ["eventflow-client has the version 0.2.0, eventflow has 0.1.0"]),
        ({"wants": "eventflow-client>=0.2"}, ["eventflow-django wants eventflow-client>=0.2, which 0.1.0 is not"]),
        (
            {"readme": "pip install 'eventflow-0.0.9-py3-none-any.whl'"},
            ["README.md names 0.0.9, pyproject.toml says 0.1.0"],
        ),
        (
            {"readme": "docker build -t registry.example/eventflow:0.0.9 ."},
            ["README.md names 0.0.9, pyproject.toml says 0.1.0"],
        ),
        ({"readme": "eventflow:0.1.0 and eventflow-0.1.0-py3-none-any.whl"}, []),
    ],
)
def test_versions_that_differ_are_found(tmp_path, wrong, said):
    project = project_of(tmp_path, **wrong)
    assert versions.complaints(packages(project), project) == said


def test_a_document_that_knows_of_no_release_is_found_once_there_is_one(tmp_path):
    project = project_of(tmp_path, readme="There is no release yet.")
    (project / "CHANGELOG.md").write_text("## [0.1.0]\n")
    (project / "SECURITY.md").write_text("Write to us.\n")
    assert versions.complaints_about_no_release(project) == [
        "README.md says that there is no release: “no release yet”"
    ]


# --- contents ---


def sdist_of(tmp_path: Path, **files: bytes) -> Path:
    path = tmp_path / "eventflow_client-0.1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"eventflow_client-0.1.0/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def wheel_of(tmp_path: Path, **files: bytes) -> Path:
    path = tmp_path / "eventflow_client-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return path


SOURCES = ["clients/python/src/a.py", "clients/python/tests/test_a.py", ".gitignore"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"src/a.py": b"1", "PKG-INFO": b"", ".gitignore": b"var/"}, []),
        ({"src/b.py": b"1"}, ["src/b.py is not among the sources"]),
        ({"tests/test_a.py": b"1"}, ["tests/test_a.py is a test"]),
        ({"src/a.py": b"at = '/builder/eventflow/src'"}, ["src/a.py names /builder/eventflow"]),
        (
            {"src/__pycache__/a.pyc": b""},
            ["src/__pycache__/a.pyc is not among the sources", "src/__pycache__/a.pyc is left over from something"],
        ),
    ],
)
def test_what_does_not_belong_into_an_sdist_is_found(tmp_path, files, said):
    complaints = contents.complaints_about_sdist(
        sdist_of(tmp_path, **files),
        folder=PurePosixPath("clients/python"),
        sources=SOURCES,
        machine=["/builder/eventflow"],
    )
    assert [complaint.partition(": ")[2] for complaint in complaints] == said


def test_what_does_not_belong_into_a_wheel_is_found(tmp_path):
    wheel = wheel_of(tmp_path, **{"a.py": b"1", "made.py": b"2", "a.dist-info/METADATA": b"of the builder"})
    sdist = sdist_of(tmp_path, **{"src/a.py": b"1"})
    complaints = contents.complaints_about_wheel(wheel, sdist=sdist, machine=[])
    assert [complaint.partition(": ")[2] for complaint in complaints] == [
        "made.py is not in the sdist",
        "the licence is missing",
    ]


# --- licences ---


def bill(*components: dict) -> dict:
    return {"metadata": {"component": {"name": "eventflow"}}, "components": list(components)}


def test_a_library_without_a_licence_is_found():
    known = [
        {"name": "a", "version": "1", "licenses": [{"license": {"id": "MIT"}}]},
        {"name": "b", "version": "1", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
        {"name": "c", "version": "1", "licenses": [{"license": {"name": "Mine\n\nAll of it."}}]},
    ]
    unknown = [
        {"name": "d", "version": "1"},
        {"name": "e", "version": "1", "licenses": [{"license": {"name": "UNKNOWN"}}]},
    ]
    assert libraries.licences(bill(*known)) == {"a 1": "MIT", "b 1": "MIT OR Apache-2.0", "c 1": "Mine"}
    assert libraries.complaints(bill(*known), machine=[]) == []
    assert libraries.complaints(bill(*known, *unknown), machine=[]) == [
        "eventflow: nobody knows the licence of d 1",
        "eventflow: nobody knows the licence of e 1",
    ]
    assert libraries.complaints(bill(), machine=[]) == ["eventflow: its bill of materials is empty"]


def test_a_licence_that_a_library_tells_in_its_own_words_is_taken(tmp_path):
    (tmp_path / "d-1.dist-info").mkdir()
    (tmp_path / "d-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: d\nVersion: 1\nLicense: 3-Clause BSD\n"
    )
    told = libraries.with_licences_in_words(bill({"name": "d", "version": "1"}), tmp_path)
    assert libraries.licences(told) == {"d 1": "3-Clause BSD"}
