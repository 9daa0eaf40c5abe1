"""Microsoft's own client for Python works against the service: an independent witness of the protocol."""

from __future__ import annotations

import gc
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.sandbox.azure_devops.service import definition_body, push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.sandbox.azure_devops.service import Service

# The client leaves its connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collects them before another module's tests, whose warnings are errors."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def clients(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The factory of Microsoft's clients, with its file cache in a folder of the test."""
    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))
    return connect(service.url, service.token)


def connect(url: str, token: str) -> Any:
    """Return the factory of clients for the API 7.1. The package carries no types, so it is imported by name."""
    credentials = import_module("msrest.authentication").BasicAuthentication("", token)
    return import_module("azure.devops.connection").Connection(base_url=url, creds=credentials).clients_v7_1


def test_a_variable_group_lives_its_whole_life(clients: Any) -> None:
    models = import_module("azure.devops.v7_1.task_agent.models")
    project = clients.get_core_client().get_project("app-one", include_capabilities=True)
    assert project.capabilities["versioncontrol"]["sourceControlType"] == "Git"
    tasks = clients.get_task_agent_client()
    reference = models.VariableGroupProjectReference(
        name="app-one", project_reference=models.ProjectReference(id=project.id)
    )
    parameters = models.VariableGroupParameters(
        name="app-one",
        variables={"plain": {"value": "1"}, "key": {"value": "s3cr3t", "isSecret": True}},
        variable_group_project_references=[reference],
    )
    group = tasks.add_variable_group(parameters)
    read = tasks.get_variable_group(project.id, group.id)
    assert (read.variables["plain"].value, read.variables["key"].value, read.variables["key"].is_secret) == (
        "1",
        None,
        True,
    )
    build = clients.get_build_client()
    resource = {"type": "variablegroup", "id": str(group.id), "name": "app-one", "authorized": True}
    build.authorize_project_resources([resource], project.id)
    (authorized,) = build.get_project_resources(project.id, type="variablegroup", id=str(group.id))
    assert authorized.authorized is True
    parameters.description = "changed"
    assert tasks.update_variable_group(parameters, group.id).description == "changed"
    tasks.delete_variable_group(group.id, [project.id])
    assert tasks.get_variable_groups(project.id, group_name="app-one") == []
    assert tasks.get_variable_group(project.id, group.id) is None


def test_a_pipeline_is_declared_permitted_guarded_and_run(clients: Any, service: Service) -> None:
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    build = clients.get_build_client()
    definition = build.create_definition(definition_body(service, "witnessed"), "app-one")
    assert definition.process["yamlFilename"] == "azure-pipelines.yml"
    environment = clients.get_task_agent_client().add_environment({"name": "dev"}, "app-one")
    permissions = clients.get_pipeline_permissions_client()
    change = {"pipelines": [{"id": definition.id, "authorized": True}]}
    permitted = permissions.update_pipeline_permisions_for_resource(
        change, "app-one", "environment", str(environment.id)
    )
    assert [one.id for one in permitted.pipelines] == [definition.id]
    users = clients.get_graph_client().list_users().graph_users
    assert clients.get_graph_client().get_storage_key(users[0].descriptor).value
    check = clients.get_pipelines_checks_client().add_check_configuration(
        {
            "type": {"id": "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"},
            "resource": {"type": "environment", "id": str(environment.id)},
        },
        "app-one",
    )
    assert check.type.name == "ExclusiveLock"
    policy = clients.get_policy_client().create_policy_configuration(
        {
            "isEnabled": True,
            "isBlocking": True,
            "type": {"id": "0609b952-1397-4640-95ec-e00a01b2c241"},
            "settings": {
                "buildDefinitionId": definition.id,
                "scope": [{"refName": "refs/heads/main", "matchKind": "Exact"}],
            },
        },
        "app-one",
    )
    assert policy.revision == 1
    queued = build.queue_build({"definition": {"id": definition.id}}, "app-one")
    assert (queued.status, queued.source_branch) == ("notStarted", "refs/heads/main")
    run = clients.get_pipelines_client().get_run("app-one", definition.id, queued.id)
    assert run.state == "inProgress"


def test_a_pull_request_gets_a_comment(clients: Any, service: Service) -> None:
    push(service, {"/change.txt": "x"}, "refs/heads/witnessed")
    git = clients.get_git_client()
    repository = git.get_repository("app-one", project="app-one")
    body = {"sourceRefName": "refs/heads/witnessed", "targetRefName": "refs/heads/main", "title": "t"}
    request = git.create_pull_request(body, repository.id, project="app-one")
    thread = git.create_thread({"comments": [{"content": "hello"}]}, repository.id, request.pull_request_id)
    (read,) = git.get_threads(repository.id, git.get_pull_request_by_id(request.pull_request_id).pull_request_id)
    assert (read.id, read.comments[0].content) == (thread.id, "hello")


def test_the_services_errors_are_understood(clients: Any) -> None:
    error = import_module("azure.devops.exceptions").AzureDevOpsServiceError
    with pytest.raises(error, match="TF200016: The following project does not exist: nothing"):
        clients.get_core_client().get_project("nothing")


def test_a_wrong_token_is_not_taken_for_an_answer(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))
    # Another spelling of the address, since the client remembers what it discovered.
    url = service.url.replace("127.0.0.1", "localhost")
    failures = (import_module("msrest.exceptions").DeserializationError, AttributeError)
    with pytest.raises(failures):
        connect(url, "wrong").get_core_client()
