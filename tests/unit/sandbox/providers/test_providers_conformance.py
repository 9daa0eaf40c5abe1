"""The stand-ins take exactly the inputs of the SDK's classes and give exactly their outputs."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import typing
from typing import Any

import pytest
from pulumi import CustomResource, _types

from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.azuredevops.provider import AzureDevOpsProvider
from sandbox.providers.docker.provider import DockerProvider

if typing.TYPE_CHECKING:
    from sandbox.providers.schema import Field, Fields

PROVIDERS: list[tuple[Any, str, str]] = [
    (AwsProvider, "pulumi_aws", "pulumi-aws"),
    (AzureDevOpsProvider, "pulumi_azuredevops", "pulumi-azuredevops"),
    (DockerProvider, "pulumi_docker", "pulumi-docker"),
]
RESOURCES = [
    pytest.param(package, each, id=each.token.rsplit(":", 1)[1])
    for provider, package, _ in PROVIDERS
    for each in provider.resources
]
FUNCTIONS = [
    pytest.param(package, token, id=token.rsplit(":", 1)[1])
    for provider, package, _ in PROVIDERS
    for token in provider.functions
]
PLAIN = {"string": str, "boolean": bool, "integer": int}


@pytest.mark.parametrize(("provider", "package", "distribution"), PROVIDERS)
def test_a_stand_in_has_the_version_of_the_installed_sdk(provider: Any, package: str, distribution: str) -> None:
    assert provider.version == importlib.metadata.version(distribution), package


@pytest.mark.parametrize(("package", "resource"), RESOURCES)
def test_inputs_and_outputs_are_those_of_the_sdks_class(package: str, resource: Any) -> None:
    cls = sdk_class(package, resource.token)
    arguments = getattr(inspect.getmodule(cls), f"{cls.__name__}Args")
    names = _types.input_type_py_to_pulumi_names(arguments)
    declared = resource.fields
    assert {name for name, each in declared.items() if not each.output} == set(names.values())
    needed = {
        names[name] for name, each in inspect.signature(arguments.__init__).parameters.items()
        if name in names and each.default is inspect.Parameter.empty
    }  # fmt: skip
    assert {name for name, each in declared.items() if each.required} == needed
    outputs = _types.resource_types(cls)
    assert set(outputs) - set(declared) == set(), "outputs that the stand-in does not give"
    for name, kind in outputs.items():
        if not (resource.token == "docker:index/image:Image" and name in ("context", "dockerfile", "platform")):
            same_kind(declared[name], kind, f"{resource.token}.{name}")


def same_kind(field: Field, kind: Any, where: str) -> None:
    """Compare a field with the type that the SDK gives the output, at every level."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is not None and issubclass(origin, typing.Sequence):
        assert field.kind in ("list", "set"), where
        element = parts[0]
        if not _types.is_output_type(element):
            assert not field.fields, where
            return
        same_fields(field.fields, element, where)
    elif origin is not None:
        assert (field.kind, parts) == ("map", (str, str)), where
    elif _types.is_output_type(kind):
        assert field.kind == "object", where
        same_fields(field.fields, kind, where)
    else:
        assert PLAIN.get(field.kind) is kind, where


def same_fields(fields: Fields, kind: Any, where: str) -> None:
    """Compare the fields of an object with the SDK's output class."""
    known = _types.output_type_types(kind)
    assert set(fields) == set(known), where
    for name, each in known.items():
        same_kind(fields[name], each, f"{where}.{name}")


@pytest.mark.parametrize(("package", "token"), FUNCTIONS)
def test_a_function_of_a_stand_in_is_one_of_the_sdks(package: str, token: str) -> None:
    assert any(token == found for found, _ in sdk_functions(package)), token


def sdk_class(package: str, token: str) -> Any:
    """Find the SDK's class of a type."""
    module = token.split(":")[1].split("/", maxsplit=1)[0]
    found = importlib.import_module(package if module == "index" else f"{package}.{module}")
    cls = getattr(found, token.rsplit(":", 1)[1])
    assert issubclass(cls, CustomResource)
    assert cls.pulumi_type == token
    return cls


def sdk_functions(package: str) -> typing.Iterator[tuple[str, str]]:
    """Yield token and module of every function in the modules that the stand-ins have functions of."""
    for name in (package, f"{package}.ecr", f"{package}.iam"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        # The SDK's modules load when they are first looked into. Before that, the import of a function's module would
        # put the module in the function's place, for the whole process.
        assert hasattr(module, "_utilities")
        for each in pkgutil.iter_modules(module.__path__, f"{name}."):
            if each.name.rsplit(".", 1)[1].startswith("get_"):
                source = inspect.getsource(importlib.import_module(each.name))
                for token in re.findall(r"invoke\('([^']+)'", source):
                    yield token, each.name


def result_names(package: str, token: str) -> set[str]:
    """Return the names that the SDK reads of a function's result."""
    module = next(name for found, name in sdk_functions(package) if found == token)
    function = token.rsplit(":", 1)[1]
    cls = getattr(importlib.import_module(module), function[0].upper() + function[1:] + "Result")
    return set(_types.output_type_types(cls))
