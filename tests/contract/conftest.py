"""Says which payloads the contract suite ran on."""

import pytest

from tests.contract import examples


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = len(examples.present(examples.ALL))
    beside = f"{count} real payload files" if count else "no real payload files here"
    terminalreporter.write_line(f"contract suite: own recordings and {beside}")
