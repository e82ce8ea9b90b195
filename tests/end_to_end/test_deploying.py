"""What is said about running elsewhere: the Dockerfile, the manifests and their page fit the repository."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from salesforce_bulk_client import AuthFlow

from tests.end_to_end.conftest import BIN, MELTANO_FILES

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "deploying.md").read_text()
DOCUMENTS = list(yaml.safe_load_all((PROJECT / "examples/kubernetes/warehouse-to-salesforce.yaml").read_text()))
MELTANO: dict[str, Any] = yaml.safe_load((PROJECT / "meltano.yml").read_text())
INCLUDED: dict[str, dict[str, Any]] = {
    path: yaml.safe_load((PROJECT / path).read_text()) for path in MELTANO["include_paths"]
}
TASK_DEFINITION: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's lines: each instruction, and what follows it."""
    text = re.sub(r"^#.*\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


def all_of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


@cache
def secrets() -> frozenset[str]:
    """The variables of both plugins that hold secrets."""
    return frozenset(variable for variable, schema in variables().items() if schema.get("writeOnly"))


@cache
def variables() -> dict[str, dict[str, Any]]:
    """The variables that the plugins read, with their settings' schemas."""
    found = {}
    for plugin in ("tap-salesforce-bulk", "target-salesforce-bulk"):
        about = json.loads(subprocess.check_output([BIN / plugin, "--about", "--format=json"]))
        for name, schema in about["settings"]["properties"].items():
            found[f"{plugin}_{name}".upper().replace("-", "_")] = schema
    return found


def is_read(variable: str) -> bool:
    """Whether somebody reads a variable: a plugin, meltano.yml, or Meltano itself."""
    return (
        variable in variables()
        or any(f"${variable}" in (PROJECT / path).read_text() for path in ("meltano.yml", *INCLUDED))
        or variable in {"MELTANO_DATABASE_URI", "MELTANO_SEND_ANONYMOUS_USAGE_STATS"}
    )


def test_the_dockerfile_copies_files_that_are_there_and_let_through() -> None:
    """.dockerignore shuts everything out but those, so nothing else can get into an image."""
    shut_out, *patterns = (PROJECT / ".dockerignore").read_text().split("\n", 1)[1].split()
    let_through = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    copied = {source for copy in all_of("COPY") if "--from" not in copy for source in copy.split()[:-1]}

    assert shut_out == "*"
    assert copied == let_through
    assert all((PROJECT / source).exists() for source in copied)


def test_the_package_is_built_from_what_is_copied() -> None:
    """A package folder, readme or licence that were missing would end the build."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    needed = [
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
        project["project"]["readme"],
        *project["project"]["license-files"],
    ]
    copied = [source for copy in all_of("COPY") for source in copy.split()[:-1]]

    assert all(any(path == each or path.startswith(f"{each}/") for each in copied) for path in needed)


def test_the_images_run_as_nobody_special_and_pass_signals_on() -> None:
    """Exec form, so no shell stands between tini and a program."""
    commands = [json.loads(command) for command in all_of("CMD")]

    assert set(all_of("USER")) == {"10001"}
    assert all_of("ENTRYPOINT") == ['["tini", "-g", "--"]']
    assert commands == [["meltano", "--help"], ["salesforce-bulk", "--help"]]
    assert all((BIN / command[0]).exists() for command in commands)


def test_no_secret_is_built_into_an_image() -> None:
    """ARG and ENV stay in an image's history."""
    named = {
        word.partition("=")[0]
        for words in (*all_of("ENV"), *all_of("ARG"))
        for word in shlex.split(words)
        if "=" in word
    }

    assert "TARGET_SALESFORCE_BULK_RESULTS_DIR" in named
    assert not named & secrets()
    assert not [name for name in named if fnmatch(name, "*SECRET*") or fnmatch(name, "*PASSWORD*")]


def test_the_meltano_image_installs_plugins_that_the_project_has() -> None:
    """And the extras that can be chosen are those of the package."""
    (words,) = re.findall(r"meltano install ([\w -]+?)\s+&&", " ".join(all_of("RUN")))
    files = [MELTANO, *INCLUDED.values()]
    plugins = {each["name"] for file in files for kind in file.get("plugins", {}).values() for each in kind}
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert set(words.split()) <= plugins
    assert {f"{name} /project/{name}" for name in MELTANO_FILES} <= set(all_of("COPY"))
    assert set(re.findall(r"--extra ([\w-]+)", " ".join(all_of("ARG")) + PAGE)) <= set(extras)


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = DOCUMENTS[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def containers() -> list[dict[str, Any]]:
    return [*pod()["initContainers"], *pod()["containers"]]


def test_the_cronjob_never_runs_twice_at_once_and_ends_in_order() -> None:
    """Two runs would share a bookmark and a journal; the target needs up to 15 seconds at SIGTERM."""
    cron = DOCUMENTS[1]["spec"]

    assert cron["concurrencyPolicy"] == "Forbid"
    assert cron["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 7200
    assert pod()["restartPolicy"] == "Never"
    assert pod()["terminationGracePeriodSeconds"] == 60
    assert pod()["securityContext"]["runAsUser"] == 10001
    for container in containers():
        assert container["securityContext"]["readOnlyRootFilesystem"]


def test_what_outlives_a_run_of_the_cronjob_is_on_its_volume() -> None:
    """The journal and the bookmarks; the volume's claim is the one that the manifest makes."""
    run = pod()["containers"][0]
    (data,) = (mount for mount in run["volumeMounts"] if mount["name"] == "data")
    (volume,) = (volume for volume in pod()["volumes"] if volume["name"] == "data")
    values = {each["name"]: each.get("value") for each in run["env"]}

    assert volume["persistentVolumeClaim"]["claimName"] == DOCUMENTS[0]["metadata"]["name"]
    assert values["TARGET_SALESFORCE_BULK_RESULTS_DIR"].startswith(data["mountPath"])
    assert values["MELTANO_DATABASE_URI"].removeprefix("sqlite:///").startswith(data["mountPath"])
    assert run["args"][-1] in {job["name"] for job in MELTANO["jobs"]}


@pytest.mark.parametrize("container", containers(), ids=lambda container: str(container["name"]))
def test_variables_of_the_cronjob_are_read_and_its_secrets_come_from_a_secret(container: dict[str, Any]) -> None:
    """A misspelt variable would be read by nobody."""
    given = {each["name"] for each in container["env"]}
    from_secret = {each["name"] for each in container["env"] if "valueFrom" in each}

    assert [name for name in given if not is_read(name)] == []
    assert given & (secrets() | {"PGPASSWORD"}) <= from_secret


def test_variables_of_the_fargate_task_are_read_and_its_secrets_come_from_the_store() -> None:
    """The task definition of the page, as a user would copy it."""
    (container,) = TASK_DEFINITION["containerDefinitions"]
    plain = {each["name"] for each in container["environment"]}
    from_store = {each["name"] for each in container["secrets"]}

    assert [name for name in plain | from_store if not is_read(name)] == []
    assert not plain & (secrets() | {"PGPASSWORD"})
    assert {mount["sourceVolume"] for mount in container["mountPoints"]} == {
        v["name"] for v in TASK_DEFINITION["volumes"]
    }
    assert container["command"][-1] in {job["name"] for job in MELTANO["jobs"]}


def test_the_page_names_every_login_flow() -> None:
    """A flow that is missing among the hosts to allow would be met by a closed door."""
    (table,) = re.findall(r"## Hosts to allow\n(.*?)\n## ", PAGE, re.DOTALL)

    assert [flow.value for flow in AuthFlow if flow.value.replace("_", " ").lower() not in table.lower()] == []
