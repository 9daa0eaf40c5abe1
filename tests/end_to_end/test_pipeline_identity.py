"""From an access key to identity tokens and back, with a release at every stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from azure_pipelines import conditions as runs
from tests.end_to_end.delivery import CHECKS, STACKS
from tests.end_to_end.pipeline_runs import change_the_app, release, succeeded

if TYPE_CHECKING:
    from tests.end_to_end.delivery import Delivery
    from tests.end_to_end.pipeline_runs import Start

pytestmark = pytest.mark.e2e


def test_from_key_to_identity_tokens_and_back_with_a_release_at_every_stage(delivery: Delivery, start: Start) -> None:
    organization, operator = delivery.organization, delivery.operator
    instance = organization.give("GET", "_apis/connectionData")["instanceId"]
    subject = f"sc://{organization.url.rpartition('/')[2]}/app-one/app-one"
    issuer = f"https://vstoken.dev.azure.com/{instance}"
    trust = json.dumps([{"issuer": issuer, "push": f"{subject}-push", "reader": f"{subject}-reader"}])

    def released_by(what: str, approved: int = 2) -> None:
        change_the_app(delivery, what)
        _, results = start(skip=CHECKS)
        assert results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(results)
        assert release(results)["tag"] in delivery.tags()
        assert len(results.approved) == approved
        delivery.audit_states()

    operator.config(pipelineIdentity="oidc", oidcTrust=trust, keepAccessKey="true")
    operator.up()
    released_by("the key, with roles beside it")
    delivery.edit(STACKS, lambda text: text.replace("identity: key", "identity: oidc"))
    # The environment's approval, the connection's own, and the group's while it holds the key.
    released_by("an identity token, with the key beside it", approved=3)
    operator.config(keepAccessKey="false")
    operator.up()
    users = delivery.access()["UserDetailList"]
    assert [user["UserName"] for user in users if user["UserName"].startswith("app-one")] == []
    released_by("an identity token alone")
    assert not [row for row in operator.resources() if "accessKey" in row["type"]]
    _, results = start(reason="schedule")
    assert results.stages == {"drift_dev": runs.SUCCEEDED}, succeeded(results)

    operator.config(keepAccessKey="true")
    operator.up()
    delivery.edit(STACKS, lambda text: text.replace("identity: oidc", "identity: key"))
    released_by("the key again")
    operator.config(pipelineIdentity="key", oidcTrust="[]", keepAccessKey="false")
    operator.up()
    released_by("the key alone")
