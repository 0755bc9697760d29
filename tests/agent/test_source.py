"""What the agent's file may be: one file for an old Python, with the standard library and nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.agent.process import AGENT
from tests.architecture.source import ROOT

SOURCE = AGENT.read_text(encoding="utf-8")


def test_python_3_8_can_read_it() -> None:
    """The grammar here; ruff checks the file for the same version (pyproject.toml), and what no grammar knows is for vermin."""
    ast.parse(SOURCE, feature_version=(3, 8))
    command = [str(Path(sys.executable).with_name("vermin")), "--target=3.8-", "--no-tips", "--violations", str(AGENT)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert told.returncode == 0, told.stdout + told.stderr
    assert '"vtapweb/agent/vtap_agent.py" = "py38"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_it_imports_the_standard_library_only() -> None:
    imported = set()
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported <= sys.stdlib_module_names


def test_it_opens_no_socket_that_could_see_a_packet() -> None:
    """What it opens: netlink, a name of its own, one for a question about an interface, and the connection to the server."""
    families = {node.attr for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.Attribute) and node.attr.startswith("AF_")}
    assert families == {"AF_NETLINK", "AF_UNIX", "AF_INET", "AF_UNSPEC"}
