"""Every failure has a sentence, a thing to do, and where there is one, the command."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtapweb.cloud.advice import Advice, advise, advise_of, role_assignment_command
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.types import Identity

SUBSCRIPTION = "a1b2c3d4-0000-4000-8000-000000000001"
ROBOT = Identity(cloud="public", endpoint="https://management.azure.com", name="vtapweb", object_id="0b1ec7", principal_type="ServicePrincipal")


@pytest.mark.parametrize("failure", Failure)
def test_each_failure_has_its_advice(failure: Failure) -> None:
    advice = advise(CloudError(failure), subscription_id=SUBSCRIPTION, identity=ROBOT)
    assert advice.happened.endswith(".")
    assert advice.to_do.endswith(".")
    assert advice_of_everything_else(failure).isdisjoint({advice.happened})


def advice_of_everything_else(failure: Failure) -> set[str]:
    return {advise_of(other).happened for other in Failure if other is not failure}


def test_a_lack_of_rights_comes_with_the_line_that_mends_it() -> None:
    advice = advise(CloudError(Failure.FORBIDDEN, code="AuthorizationFailed"), subscription_id=SUBSCRIPTION, identity=ROBOT)
    assert advice.command == (
        "az role assignment create --assignee-object-id 0b1ec7 --assignee-principal-type ServicePrincipal"
        f" --role Reader --scope /subscriptions/{SUBSCRIPTION}"
    )


def test_what_is_not_known_is_left_to_be_filled_in() -> None:
    assert (
        role_assignment_command("") == "az role assignment create --assignee-object-id OBJECT_ID --role Reader --scope /subscriptions/SUBSCRIPTION_ID"
    )


@pytest.mark.parametrize(
    ("failure", "code", "word", "command"),
    [
        (Failure.UNAUTHENTICATED, "NoCredential", "Nobody is signed in", "az login"),
        (Failure.UNAUTHENTICATED, "AADSTS7000222", "expired", ""),
        (Failure.UNAUTHENTICATED, "ExpiredAuthenticationToken", "expired", ""),
        (
            Failure.MISSING,
            "MissingSubscriptionRegistration",
            "registered",
            f"az provider show --namespace Microsoft.Network --subscription {SUBSCRIPTION}",
        ),
        (Failure.REFUSED, "SubscriptionNotFound", "does not exist", role_assignment_command(SUBSCRIPTION)),
        (Failure.THROTTLED, "SomethingNew", "slow down", ""),
    ],
)
def test_a_known_code_says_more_than_its_class(failure: Failure, code: str, word: str, command: str) -> None:
    advice = advise_of(failure, code=code, subscription_id=SUBSCRIPTION)
    assert word in advice.happened
    assert advice.command == command


def test_a_failure_of_another_version_is_no_error() -> None:
    assert advise_of("melted") == advise_of(Failure.REFUSED) == Advice(*(advise_of(Failure.REFUSED).happened, advise_of(Failure.REFUSED).to_do))


@given(st.text(), st.text())
def test_no_id_becomes_a_command(subscription_id: str, object_id: str) -> None:
    line = role_assignment_command(subscription_id, Identity(cloud="c", endpoint="e", object_id=object_id))
    assert len(shlex.split(line)) == 10
    assert not set(line) & set(";|&$`\n<>(){}'\"")
