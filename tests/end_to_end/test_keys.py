"""Keys that end, under the real engine: pushes go on through a rotation that is interrupted, and an emergency."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest
import requests

from tests.end_to_end import killed, registry
from tests.organization import Organization
from tests.workstation import Sandbox, Workstation

if TYPE_CHECKING:
    from pathlib import Path

USER = "app-one-push"


@dataclass
class Pusher:
    """Pushes one small image after another with the key that stands in the group, as runs of the pipeline do.

    digests: what came to ECR. refused: the key and why.
    """

    workstation: Workstation
    tries: int = 0
    digests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Pusher:
        self.push()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread
        self._thread.join()
        self.push()

    def _go_on(self) -> None:
        while not self._stop.wait(0.1):
            self.push()

    def in_group(self) -> str:
        """The id of the key in the variable group."""
        sandbox = self.workstation.sandbox
        organization = Organization(
            sandbox.environment["AZDO_ORG_SERVICE_URL"], sandbox.environment["AZDO_PERSONAL_ACCESS_TOKEN"]
        )
        groups = organization.give("GET", "/app-one/_apis/distributedtask/variablegroups?groupName=app-one")["value"]
        return str(groups[0]["variables"]["App-One.AccessKey"]["value"])

    def push(self) -> None:
        """A whole push: a token for the registry, a layer, a configuration, and the manifest under a tag of its own."""
        identifier = self.in_group()
        self.tries += 1
        try:
            given = self.client(identifier).get_authorization_token()["authorizationData"][0]
            token = base64.b64decode(given["authorizationToken"]).decode()
            self.workstation.sandbox.made[f"token of push {self.tries}"] = token.partition(":")[2]
            user = dict(zip(("username", "password"), token.split(":", 1), strict=True))
            tag, content = f"push-{self.tries}", f"layer {self.tries}".encode()
            self.digests.append(registry.push_small(given["proxyEndpoint"], "app-one", tag, user, content))
        except (botocore.exceptions.ClientError, requests.HTTPError) as error:
            self.refused.append(f"{identifier}: {error}")

    def in_ecr(self) -> set[str]:
        """The digests that ECR has."""
        pages = self.workstation.sandbox.client("ecr").get_paginator("describe_images")
        return {one["imageDigest"] for page in pages.paginate(repositoryName="app-one") for one in page["imageDetails"]}

    def client(self, identifier: str) -> Any:
        """ECR as the holder of a key; the group's secret is the state's."""
        if identifier not in self.secrets:
            shown = json.loads(self.workstation.pulumi("stack", "export", "--show-secrets").stdout)
            for each in shown["deployment"]["resources"]:
                if each["type"] == "aws:iam/accessKey:AccessKey":
                    secret = json.loads(each["outputs"]["secret"]["plaintext"])
                    self.secrets[each["id"]] = secret
                    self.workstation.sandbox.made[f"secret of {each['id']}"] = secret
        return self.workstation.sandbox.client(
            "ecr", aws_access_key_id=identifier, aws_secret_access_key=self.secrets[identifier]
        )


@pytest.fixture
def ending(sandbox: Sandbox, tmp_path: Path) -> Workstation:
    """A stack whose keys end after 90 days, and whose user's tag records the first."""
    workstation = Workstation.deployed(tmp_path / "first", sandbox)
    workstation.config(accessKeyMaxAgeDays="90")
    assert workstation.steps() == {"update": ["access-user"]}, "a stack from before gets a tag, and nothing is replaced"
    workstation.up()
    assert workstation.steps() == {}
    return workstation


def keys(workstation: Workstation) -> list[tuple[str, str]]:
    """Ids and states in IAM, the oldest first."""
    listed = workstation.sandbox.client("iam").list_access_keys(UserName=USER)["AccessKeyMetadata"]
    return [(key["AccessKeyId"], key["Status"]) for key in sorted(listed, key=lambda key: key["CreateDate"])]


def on_day(number: int) -> dict[str, str]:
    """The environment of a run so many days after now."""
    return {"KEYS_AS_OF": (datetime.now(UTC) + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def interrupted(workstation: Workstation, line: str, environment: dict[str, str]) -> None:
    """`pulumi up`, interrupted when it prints `line`: what is being done is finished, and nothing after it begun.

    An update that had come further before is complete instead.
    """
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=workstation.folder,
        env=workstation.sandbox.environment | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout
        printed = []
        met = False
        for text in running.stdout:
            printed.append(text)
            if not met and line in " ".join(text.split()):
                met = True
                running.send_signal(signal.SIGINT)
    workstation.sandbox.printed.extend(printed)
    assert met or running.returncode == 0, "".join(printed)


def test_pushes_go_on_through_a_whole_rotation_that_is_interrupted_at_its_steps(ending: Workstation) -> None:
    # Over 10 s: six updates, four more are interrupted.
    ((old, _),) = keys(ending)
    with Pusher(ending) as pusher:
        assert "ends in 40 days" in ending.pulumi("preview", env=on_day(50)).stdout
        due = on_day(80)
        told = ending.pulumi("preview", env=due)
        assert "ends in 10 days: this update makes the next one" in told.stdout + told.stderr
        # Once the next key is made, today, the days are counted from its making.
        for line, environment in (
            ("access-user updating", due),
            ("access-key-2 creating", due),
            ("variable-group updating", on_day(1)),
        ):
            interrupted(ending, line, environment)
        ending.up(env=on_day(1))
        (_, (new, state)) = keys(ending)
        assert (pusher.in_group(), state) == (new, "Active")
        pusher.client(old).get_authorization_token()
        ending.up(env=on_day(6))
        assert keys(ending) == [(old, "Active"), (new, "Active")]
        assert ending.steps(env=on_day(8)) == {"update": ["access-key-1"]}
        interrupted(ending, "access-key-1 updating", on_day(8))
        ending.up(env=on_day(8))
        assert keys(ending) == [(old, "Inactive"), (new, "Active")]
        assert ending.audit_state().returncode == 0, "a checkpoint in the middle of a rotation is as expected"
        assert ending.steps(env=on_day(15)) == {"delete": ["access-key-1"]}
        ending.up(env=on_day(15))
        assert keys(ending) == [(new, "Active")]
        assert ending.steps(env=on_day(16)) == {}
    assert pusher.refused == []
    assert len(pusher.digests) == pusher.tries > 5
    assert set(pusher.digests) <= pusher.in_ecr()
    with pytest.raises(botocore.exceptions.ClientError):
        pusher.client(old).get_authorization_token()


@dataclass
class Changes:
    """The changes of a rotation, each once; after every one there is a push with the key that the group then holds."""

    pusher: Pusher
    seen: list[str] = field(default_factory=list)

    def another(self, change: str) -> bool:
        """Whether this change is the first of its kind."""
        self.pusher.push()
        if change in self.seen:
            return False
        self.seen.append(change)
        return True


def test_a_rotation_that_is_killed_after_each_of_its_changes_goes_on_and_leaves_no_key_behind(
    ending: Workstation,
) -> None:
    # Over 10 s: a rotation has six changes, and each is the last of an update.
    ((old, _),) = keys(ending)
    pusher = Pusher(ending)
    changes = Changes(pusher)
    for day, last in (
        (80, "TagUser"),
        (80, "CreateAccessKey"),
        (80, "PUT distributedtask/variablegroups"),
        (1, "PATCH build/authorizedresources"),
        (8, "UpdateAccessKey"),
        (15, "DeleteAccessKey"),
    ):
        assert killed.up(ending, changes.another, on_day(day))
        assert changes.seen[-1].startswith(last)
        if last == "CreateAccessKey":
            # The answer never came, so nobody has the secret.
            (_, (lost, _)) = keys(ending)
            told = ending.audit_keys("--remove-lost", "--yes", "--as-of", "2099-01-01").stdout
            assert f"{lost} of '{USER}', which nobody has the secret of, was deleted" in " ".join(told.split())
            assert keys(ending) == [(old, "Active")]
    assert len(changes.seen) == 6
    assert not killed.up(ending, changes.another, on_day(15))
    pusher.push()
    assert pusher.refused == []
    assert len(pusher.digests) == pusher.tries > 6
    new = pusher.in_group()
    assert keys(ending) == [(new, "Active")]
    with pytest.raises(botocore.exceptions.ClientError):
        pusher.client(old).get_authorization_token()
    ending.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert ending.audit_state("--fail-on", "change").returncode == 0, "the engine asks about nothing any more"
    assert ending.steps(env=on_day(16)) == {}


def test_a_key_past_its_end_is_an_error_that_does_not_stop_its_remedy(ending: Workstation) -> None:
    ((old, _),) = keys(ending)
    told = ending.pulumi("preview", env=on_day(97))
    assert f"error: access key {old} of '{USER}' is 97 days old, allowed are 90" in told.stdout + told.stderr
    ending.up(env=on_day(97))
    assert len(keys(ending)) == 2


def test_a_compromised_key_is_disabled_by_an_update_that_does_not_reach_the_group(ending: Workstation) -> None:
    # Over 10 s: three updates, pushes beside them.
    ((leaked, _),) = keys(ending)
    with Pusher(ending) as pusher:
        ending.pulumi("config", "set", "--path", "app-one:accessKeysCompromised[0]", leaked)
        done = ending.up("--target", "**access-key-1", "--target", "**access-user")
        assert keys(ending) == [(leaked, "Inactive")], done.stdout
        with pytest.raises(botocore.exceptions.ClientError):
            pusher.client(leaked).get_authorization_token()
        ending.up()
        assert pusher.in_group() != leaked
    # What was refused was so for the key that is not to work, and nothing is once the group has another.
    assert all(told.startswith(leaked) for told in pusher.refused), pusher.refused
    assert len(pusher.digests) + len(pusher.refused) == pusher.tries
    before = len(pusher.digests)
    pusher.push()
    assert len(pusher.digests) == before + 1
    ending.up()
    assert [state for _, state in keys(ending)] == ["Active"]
    assert leaked not in dict(keys(ending))
