"""`python guard.py --parent PID --pipe FD [--wait] -- COMMAND …`: runs a command that may not outlive the supervisor, however that one dies.

Standard library only, and run by its path, so that it costs a few milliseconds. On Linux the kernel is asked to kill this process
with its parent (PR_SET_PDEATHSIG) and the command takes this process's place. Elsewhere, or with --wait, this process stays: the end
of a pipe that only the supervisor holds open tells that it is gone, and the whole process group is ended.

`python guard.py --remove DIRECTORY --pipe FD`: waits for that end alone and removes the directory, which a killed supervisor can't.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
GRACE_S = 3.0


def die_with_parent(signal_number: int = signal.SIGKILL, *, parent: int | None = None) -> bool:
    """Asks Linux to send this process a signal when its parent ends; True when that is arranged. Ends at once if the parent is gone already."""
    if not sys.platform.startswith("linux"):
        return False
    before = os.getppid() if parent is None else parent
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
        return False
    if os.getppid() != before:
        os._exit(1)
    return True


def wait_and_watch(command: list[str], pipe: int) -> int:
    """Runs the command in this process's group; ends the group when the pipe closes. Returns the command's exit status as a shell counts it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    child = subprocess.Popen(command)  # noqa: S603 - the supervisor's own command line
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    while child.poll() is None:
        ready, _, _ = select.select([pipe, reader], [], [], 5.0)
        if reader in ready:
            os.read(reader, 512)
        if pipe in ready:
            end_group(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def end_group(child: "subprocess.Popen[bytes]") -> None:
    """The supervisor is gone: a polite signal to the whole group, then the end of it, this process included."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(deadline - time.monotonic())
    os.killpg(os.getpgrp(), signal.SIGKILL)


def remove_at_the_end(directory: str, pipe: int) -> int:
    """Outlives the supervisor by a moment: when the pipe closes, the directory goes, whatever is still in it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    select.select([pipe], [], [])
    shutil.rmtree(directory, ignore_errors=True)
    return 0


def main(arguments: list[str]) -> int:
    if arguments[0] == "--remove":
        return remove_at_the_end(arguments[1], int(arguments[arguments.index("--pipe") + 1]))
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    parent = int(options[options.index("--parent") + 1])
    pipe = int(options[options.index("--pipe") + 1])
    if "--wait" not in options and die_with_parent(parent=parent):
        os.close(pipe)
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line
    os.set_inheritable(pipe, False)
    return wait_and_watch(command, pipe)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
