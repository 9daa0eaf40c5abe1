"""A new access key that is not known everywhere at once, against the running service with boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def slow(aws: Any) -> Iterator[Any]:
    """The service, where a key that is made from now on is unknown to its first three requests."""
    file = aws.folder / "new-keys.json"
    file.write_text(json.dumps({"refused": 3}), encoding="utf-8")
    yield aws
    file.unlink()


def answers(aws: Any, key: dict[str, str]) -> list[str]:
    """What STS, ECR and S3 answer to a key, one after the other, and STS again."""
    calls = (
        aws.client("sts", key).get_caller_identity,
        aws.client("ecr", key).describe_repositories,
        aws.client("s3", key).list_buckets,
        aws.client("sts", key).get_caller_identity,
    )
    found = []
    for call in calls:
        try:
            call()
            found.append("known")
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    return found


@pytest.fixture
def before(aws: Any) -> dict[str, str]:
    """A key from before."""
    made: dict[str, str] = aws.user("old")
    return made


def test_a_new_key_is_refused_for_so_many_requests_as_a_deleted_one_is(before: dict[str, str], slow: Any) -> None:
    new, other = slow.user("new"), slow.user("other")
    unknown = ["InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"]
    for key in (new, other):
        assert answers(slow, key) == [*unknown, "known"]
        assert answers(slow, key) == ["known", "AccessDeniedException", "AccessDenied", "known"]
    assert answers(slow, before)[0] == "known"


def test_without_the_file_a_key_is_known_at_once(aws: Any) -> None:
    assert answers(aws, aws.user("quick"))[0] == "known"


def test_a_rehearsal_waits_for_the_keys_that_it_makes(
    slow: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from audit.clouds import aws as reader
    from audit.errors import AuditError

    key = slow.user("rehearsal")
    monkeypatch.setattr(reader, "DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    made = reader.Aws(endpoint=f"http://127.0.0.1:{slow.port}", key=key)
    made.wait_until_known()
    assert capsys.readouterr().err.count("AWS does not know the new access key yet") == 3
    slow.client("iam").delete_access_key(UserName="rehearsal", AccessKeyId=key["AccessKeyId"])
    with pytest.raises(AuditError, match=r"AWS refuses the credentials \(InvalidClientTokenId\)"):
        made.wait_until_known()
