"""The commands and arguments of the Azure CLI that the take-away writes, with where each is defined.

Data, not code: a test holds every line that `az_text` writes against this table. Looked up, not run (no Azure CLI is at hand here).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CliCommand:
    """`required` must be given, `optional` may be. `source` is the file that declares them."""

    required: frozenset[str]
    optional: frozenset[str]
    source: str


EXTENSION_NAME = "virtual-network-tap"
EXTENSION_VERSION = "1.0.0b2"
EXTENSION_SOURCE = "Azure/azure-cli-extensions, src/virtual-network-tap, setup.py and HISTORY.rst (1.0.0b2: deletes ask, so --yes)"

_EXTENSION = "Azure/azure-cli-extensions, src/virtual-network-tap/azext_vnettap"
_CORE = "Azure/azure-cli, src/azure-cli/azure/cli/command_modules"

# --subscription is a global argument of the CLI.
CLI_COMMANDS: dict[str, CliCommand] = {
    "network vnet tap create": CliCommand(
        frozenset({"--name", "--resource-group", "--destination"}),
        frozenset({"--location", "--tags", "--port", "--subscription"}),
        f"{_EXTENSION}/aaz/latest/network/vnet/tap/_create.py; --destination: custom.py (it hides --lb-id and --nic-id)",
    ),
    "network vnet tap delete": CliCommand(
        frozenset({"--name", "--resource-group"}),
        frozenset({"--yes", "--subscription"}),
        f"{_EXTENSION}/aaz/latest/network/vnet/tap/_delete.py",
    ),
    "network nic vtap-config create": CliCommand(
        frozenset({"--name", "--nic-name", "--resource-group", "--vnet-tap"}),
        frozenset({"--subscription"}),
        f"{_EXTENSION}/aaz/latest/network/nic/vtap_config/_create.py; --vnet-tap (name or ARM id): custom.py",
    ),
    "network nic vtap-config delete": CliCommand(
        frozenset({"--name", "--nic-name", "--resource-group"}),
        frozenset({"--yes", "--subscription"}),
        f"{_EXTENSION}/aaz/latest/network/nic/vtap_config/_delete.py",
    ),
    "rest": CliCommand(
        frozenset({"--method", "--url"}),
        frozenset({"--body", "--query", "--output"}),
        f"{_CORE}/util/_params.py (rest); it waits for no long-running operation",
    ),
    "extension add": CliCommand(
        frozenset({"--name"}),
        frozenset({"--version", "--upgrade"}),
        f"{_CORE}/extension/__init__.py",
    ),
    "vm deallocate": CliCommand(frozenset({"--ids"}), frozenset(), f"{_CORE}/vm/_params.py; --ids: the CLI's own, for every command that names one"),
    "vm start": CliCommand(frozenset({"--ids"}), frozenset(), f"{_CORE}/vm/_params.py; --ids: the CLI's own, for every command that names one"),
}
