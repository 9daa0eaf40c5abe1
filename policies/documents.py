"""How the rules read a policy document: by `iam`, which refuses what AWS would refuse."""

import iam


def parsed(text: str) -> iam.Policy | str:
    """The policy of a text, or what is wrong with it."""
    try:
        return iam.parse(text)
    except iam.PolicyError as error:
        return f"is no IAM policy: {error}"


def lets_everybody_in(statement: iam.Statement) -> bool:
    """Whether an Allow is for everybody: nobody named, all but somebody, or a name with a wildcard."""
    named = statement.principals
    return statement.effect == "Allow" and (
        named is None or named.negated or any("*" in value for _, value in named.entries)
    )
