"""The two shell texts: every word arrives as it was meant, every line is one the CLI's own table knows."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.domain.takeaway.plans import DESTINATION, SUBSCRIPTION, TAP, configuration_path, create, hostile_plans, mirror, plan, retag, unmirror
from vtapweb.domain.plain_text import storable
from vtapweb.domain.takeaway import SYNTAX_ONLY, TakeawayFormat, TakeawayPlan, TakeawayStep, preparation_text, takeaway
from vtapweb.domain.takeaway.arguments import CLI_COMMANDS, EXTENSION_VERSION

SHELL_FORMATS = [TakeawayFormat.AZ, TakeawayFormat.REST]
# A stand-in for `az` and `sleep`: writes down the words it got, ends them with a record separator, and answers as Azure does when all is done.
RECORDER = """#!/bin/bash
{ printf '%s\\0' "$(basename "$0")" "$@"; printf '\\036'; } >> "$RECORD"
[[ " $* " == *" --method=get "* ]] || exit 0
[[ "$*" == *"--query="* ]] && echo Succeeded && exit 0
echo 'Not Found({"error":{"code":"NotFound"}})' >&2
exit 3
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    for name in ("az", "sleep"):
        (folder / name).write_text(RECORDER)
        (folder / name).chmod(0o755)
    return folder


def check_syntax(text: str) -> None:
    ended = subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


def run(text: str, commands: Path) -> list[list[str]]:
    """The words of each command that the script gave to az and sleep."""
    record = commands / "record"
    record.write_bytes(b"")
    environment = {"PATH": f"{commands}:/usr/bin:/bin", "RECORD": str(record), "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(["bash"], input=text.encode(), capture_output=True, check=False, env=environment, cwd=commands)
    assert (ended.returncode, ended.stderr) == (0, b"")
    return [[word.decode() for word in line.split(b"\0")[:-1]] for line in record.read_bytes().split(b"\036")[:-1]]


def option(words: list[str], name: str) -> str:
    return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))


def commands_of(text: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("az ")]


def check_known(words: list[str]) -> None:
    """Against the table: a command that there is, all that it requires, nothing it does not know."""
    name = next(name for name in CLI_COMMANDS if words[: len(name.split())] == name.split())
    rest = words[len(name.split()) :]
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    command = CLI_COMMANDS[name]
    assert command.required <= options <= command.required | command.optional, name
    values = [word for word in rest if not word.startswith("--")]
    assert not values or rest.index("--tags") < rest.index(values[0]), "only --tags takes words of its own"


def test_a_mirror_is_the_extensions_own_command(commands: Path) -> None:
    ran = run(takeaway(plan(mirror()), "az"), commands)
    assert ran == [
        ["az", "extension", "add", "--name=virtual-network-tap", f"--version={EXTENSION_VERSION}", "--upgrade"],
        [
            *["az", "network", "nic", "vtap-config", "create", f"--subscription={SUBSCRIPTION}", "--resource-group=rg-web"],
            *["--nic-name=nic-web-01", "--name=vtapweb", f"--vnet-tap={TAP}"],
        ],
    ]


def test_a_tap_is_created_with_its_tags_and_deleted_without_a_question(commands: Path) -> None:
    _, made, gone = run(takeaway(plan(create({"owner": "noc"}), unmirror()), "az"), commands)
    assert made[1:5] == ["network", "vnet", "tap", "create"]
    assert made[-4:] == [f"--destination={DESTINATION}", "--location=uksouth", "--tags", "owner=noc"]
    assert (gone[1:5], gone[-1]) == (["network", "nic", "vtap-config", "delete"], "--yes")


@pytest.mark.parametrize(
    "steps",
    [[create({"owner": "a,b={x}"})], [create({"null": "x"})], [retag({"owner": "noc"})], [mirror("-rf")], [mirror("@passwd")], [mirror(tap="")]],
)
def test_what_the_extension_would_misread_is_sent_as_the_plain_request(steps: list[TakeawayStep], commands: Path) -> None:
    ran = run(takeaway(plan(*steps), "az"), commands)
    assert [words[1] for words in ran] == ["rest", "rest"], "the request, then the look whether it is done"
    assert ran[0][2] == f"--method={steps[0].method.lower()}"


def test_waves_rest_in_between_and_only_there(commands: Path) -> None:
    steps = [mirror("nic-a"), mirror("nic-b", wave=2), mirror("nic-c", wave=2), mirror("nic-d", wave=3)]
    ran = run(takeaway(plan(*steps, settle_s=7), "az"), commands)
    assert [words[0] if words[0] == "sleep" else option(words, "--nic-name") for words in ran[1:]] == [
        "nic-a",
        "sleep",
        "nic-b",
        "nic-c",
        "sleep",
        "nic-d",
    ]
    assert ["sleep", "7"] in ran


def test_the_bare_requests_wait_for_their_end(commands: Path) -> None:
    ran = run(takeaway(plan(mirror(), unmirror()), "rest"), commands)
    url = f"--url={configuration_path()}?api-version=2024-05-01"
    assert ran == [
        ["az", "rest", "--method=put", url, '--body={"properties": {"virtualNetworkTap": {"id": "' + TAP + '"}}}'],
        ["az", "rest", "--method=get", url, "--query=properties.provisioningState", "--output=tsv"],
        ["az", "rest", "--method=delete", url],
        ["az", "rest", "--method=get", url, "--output=none"],
    ]


@pytest.mark.parametrize("wanted", SHELL_FORMATS)
def test_each_says_that_only_its_syntax_was_checked_and_stops_at_a_failure(wanted: TakeawayFormat) -> None:
    text = takeaway(plan(mirror(), ticket="INC-1"), wanted)
    assert SYNTAX_ONLY in text
    assert "set -euo pipefail" in text
    assert "# Ticket: INC-1" in text
    assert "1 request in 1 wave." in text


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="terraform"):
        takeaway(plan(mirror()), "terraform")


@pytest.mark.parametrize("steps", [[mirror(), unmirror(), create({"a": "b"}), retag({"a": "b"})], [mirror("-x"), create({"": ""})]])
@pytest.mark.parametrize("wanted", SHELL_FORMATS)
def test_every_line_is_one_that_the_table_of_the_cli_knows(steps: list[TakeawayStep], wanted: TakeawayFormat) -> None:
    for words in commands_of(takeaway(plan(*steps), wanted)):
        check_known(words)


def test_the_preparation_names_each_vm_once_stopped_then_started() -> None:
    text = preparation_text([("vm-a", "/subscriptions/1/x"), ("vm\n-b", "/subscriptions/1/y'z")], owner="team\nnet")
    check_syntax(text)
    lines = commands_of(text)
    assert [words[1] for words in lines] == ["deallocate", "start", "deallocate", "start"]
    assert lines[2][2] == "--ids=/subscriptions/1/y'z"
    for words in lines:
        check_known(words)


def test_every_command_of_the_table_names_its_source() -> None:
    assert [name for name, command in CLI_COMMANDS.items() if "/" not in command.source] == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(hostile=hostile_plans(), wanted=st.sampled_from(SHELL_FORMATS))
def test_hostile_names_stay_one_word_each(hostile: TakeawayPlan, wanted: TakeawayFormat, commands: Path) -> None:
    """Whatever the names hold, the shell runs exactly the plan's commands, and no file is made."""
    text = takeaway(hostile, wanted)
    check_syntax(text)
    ran = run(text, commands)
    for words in ran:
        if words[0] == "az":
            check_known(words[1:])
    assert {path.name for path in commands.iterdir()} == {"az", "sleep", "record"}
    bodies = [option(words, "--body") for words in ran if any(word.startswith("--body=") for word in words)]
    names = [option(words, "--name") for words in ran if words[1:3] == ["network", "nic"]]
    assert all(body.startswith("{") and body.isascii() for body in bodies)
    assert set(names) <= {storable(hostile.steps[1].path.rsplit("/", 1)[1])}
