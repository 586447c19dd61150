"""Migrations are named, complete and in one line."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

PROJECT = Path(__file__).resolve().parent.parent.parent
OURS = ("accounts", "streams", "consumers", "observability")


def test_every_migration_has_a_name_that_says_what_it_does():
    for app in OURS:
        for file in (PROJECT / app / "migrations").glob("0*.py"):
            name = re.fullmatch(r"\d{4}_([a-z][a-z0-9_]{4,})", file.stem)
            assert name, file.name
            assert not re.search(r"^auto|_auto|alter_|merge|_and_more$", name[1]), f"{file.name} was named by Django"


def test_each_app_has_one_line_of_migrations():
    leaves = MigrationLoader(None).graph.leaf_nodes()
    assert sorted(app for app, _ in leaves if app in OURS) == sorted(
        app for app in OURS if list((PROJECT / app / "migrations").glob("0*.py"))
    )


@pytest.mark.usefixtures("db_with_commits")
def test_the_models_have_their_migrations():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_constraint_and_index_has_a_name_of_its_own():
    for app in OURS:
        for model in apps.get_app_config(app).get_models():
            for each in (*model._meta.constraints, *model._meta.indexes):
                assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", each.name), each.name
