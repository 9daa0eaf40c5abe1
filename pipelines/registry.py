"""Log Docker in to the account's ECR registry, or out of it; the token is masked in every form it could be printed in.

The login is made before anything is changed, so that a key which the registry refuses ends the run with the stack
untouched. `login` writes to DOCKER_CONFIG, which must name a folder of the job: the agent's own is never used.
"""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from pipelines import agent, clients, new_key
from pipelines.stack_region import region

MARK = "registry"
"""File in DOCKER_CONFIG that remembers which registry was logged in to."""

SECONDS = 30.0
"""How long a logout may take: what follows it in the cleanup must be done before the agent ends the job."""


def token(region: str) -> tuple[str, str, str]:
    """User name, password and registry of ECR's answer. Raises Stop where AWS refuses or the account is another one."""
    import botocore.exceptions

    expected = agent.optional("AWS_ACCOUNT_NUMBER")
    try:
        account = new_key.known(clients.client("sts", region).get_caller_identity)["Account"]
        if expected not in (None, account):
            raise agent.Stop(f"the key is of account {account}, not {expected}: mend the variable group", agent.REFUSED)
        answer = new_key.known(clients.client("ecr", region).get_authorization_token)["authorizationData"][0]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise agent.Stop(f"ECR gave no token: {error}. Check the variable group's key.") from None
    encoded = answer["authorizationToken"]
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    for secret in (encoded, password):
        agent.set_secret(secret)
    return user, password, answer["proxyEndpoint"].partition("://")[2]


def config() -> Path:
    """The job's Docker configuration folder."""
    return Path(agent.setting("DOCKER_CONFIG", "name a folder of the job, which the cleanup removes"))


def login(region: str) -> None:
    """Log in; the password goes through standard input."""
    folder = config()
    agent.private_folder(folder)
    user, password, registry = token(region)
    (folder / MARK).write_text(registry, encoding="utf-8")
    done = subprocess.run(
        ["docker", "login", "--username", user, "--password-stdin", registry],
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise agent.Stop(f"docker login to {registry} failed: {done.stderr.strip()}")
    print(f"logged in to {registry}")


def logout() -> None:
    """Log out of the registry that `login` logged in to; a job without a login is fine."""
    mark = config() / MARK
    if not mark.exists():
        print("no registry was logged in to")
        return
    registry = mark.read_text(encoding="utf-8")
    # Without its registry `docker logout` would log out of Docker Hub.
    agent.captured(["docker", "logout", registry], seconds=SECONDS)
    mark.unlink()
    print(f"logged out of {registry}")


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    into = actions.add_parser("login", help="log in to the registry of the account and of the stack's region")
    into.add_argument("--stack", required=True, help="stack whose region it is")
    actions.add_parser("logout", help="log out of the registry that was logged in to")
    options = parser.parse_args()
    if options.action == "login":
        from pipelines import identity  # brings what the cleanup, which logs out, does not need

        identity.take(options.stack)
        login(region(options.stack))
    else:
        logout()


if __name__ == "__main__":
    agent.run(main)
