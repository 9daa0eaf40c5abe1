"""Python for what was imported, from the engine's own description of it."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from sandbox.program_code import ProgramError, python_program
from sandbox.providers.aws.ecr import Repository
from sandbox.providers.azuredevops.variable_group import VariableGroup
from sandbox.providers.package_schema import package_schema

IMPORTED = r"""package aws {
    baseProviderName = "aws"
    baseProviderVersion = "7.51.1"

}

resource taken-over "aws:ecr/repository:Repository" {
    __logicalName = "taken over"
    imageScanningConfiguration ={
scanOnPush = false}
    imageTagMutabilityExclusionFilters =[{
        filter = "latest*", filterType = "WILDCARD" }]
    forceDelete = null
    name = "taken-over"
    tags ={
"Owner Name" = "us $${x} \"q\"\n\u00e9", camelCase = "kept"}
options {
protect =true
parent = the-parent
provider = eu.of
}

}
resource group "azuredevops:index/variableGroup:VariableGroup" {
    variables = [{ name = "hidden", secretValue = secret("a"), isSecret = true }] # not the real one
    projectId = project.id
    allowAccess = true
}
"""


def schema_of(package: str) -> Any:
    fields = {Repository.token: Repository.fields, VariableGroup.token: VariableGroup.fields}
    own = {token: each for token, each in fields.items() if token.startswith(f"{package}:")}
    return json.loads(package_schema(package, "1.0.0", own))


def test_an_import_is_written_as_a_person_would_write_it() -> None:
    written = python_program({"imported.pp": IMPORTED}, schema_of)
    ast.parse(written)
    assert written == (
        """import pulumi
import pulumi_aws as aws
import pulumi_azuredevops as azuredevops

taken_over = aws.ecr.Repository("taken over",
    image_scanning_configuration={
        "scan_on_push": False,
    },
    image_tag_mutability_exclusion_filters=[
        {
            "filter": "latest*",
            "filter_type": "WILDCARD",
        },
    ],
    force_delete=None,
    name="taken-over",
    tags={
        "Owner Name": "us ${x} \\"q\\"\\né",
        "camelCase": "kept",
    },
    opts=pulumi.ResourceOptions(protect=True, parent=the_parent, provider=eu.of))
group = azuredevops.VariableGroup("group",
    variables=[
        {
            "name": "hidden",
            "secret_value": pulumi.Output.secret("a"),
            "is_secret": True,
        },
    ],
    project_id=project.id,
    allow_access=True)
"""
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('config x "string" {}', "it holds a config"),
        ('resource a "p:m:T" { x = "${b.c}" }', "holds an expression"),
        ('resource a "p:m:T" { x = "$$$${b}" y = element(1) }', "it calls element"),
        ('resource a "p:m:T" { x = ', "ends in the middle"),
        ('resource a "p:m:T" { x ; }', "cannot be read"),
    ],
)
def test_what_it_does_not_know_is_said(source: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        python_program({"imported.pp": source}, lambda _: {})
