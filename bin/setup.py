"""Makes what a start needs inside the checkout: the environment `.venv`, the front-end parts, for tests a browser as well.

Run by the scripts beside it with the system's Python (3.11 or newer, standard library only). A warm call compares one hash and ends.
One set-up at a time: the lock is the kernel's, so a killed set-up leaves none behind. Progress goes to standard error: standard
output belongs to the command that follows.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = ROOT / ".venv-setup.log"
VENDOR = ROOT / "static" / "vendor"
COPY_SCRIPT = "scripts/vendor.mjs"
# Of the tests of the collector agent; and of the drill that sets a server's clock, which compiles a few lines of C.
TEST_TOOLS = {"nft": "nftables", "ip": "iproute2", "tc": "iproute2", "ethtool": "ethtool", "setpriv": "util-linux", "cc": "gcc libc6-dev"}
PEERS = {"prometheus": "prometheus", "promtool": "prometheus", "victoria-metrics": "victoria-metrics", "vmagent": "victoria-metrics"}
PEERS_FOLDER = VENV / "peers"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class SetupError(Exception):
    """Something that only the reader can mend; the text says what lacks and the fix."""


def say(text: str) -> None:
    print(f"vtapweb: {text}", file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """The reader's environment, with a private CA (SSL_CERT_FILE) told to pip and npm too, which have names of their own for it."""
    env = dict(os.environ)
    env["PYTHONWARNINGS"] = "ignore"
    env.pop("PYTHONPATH", None)
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    certificates = env.get("SSL_CERT_FILE")
    if certificates:
        env.setdefault("PIP_CERT", certificates)
        env.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    env["PATH"] = f"{env.get('PATH', os.defpath)}{os.pathsep}{VENV / 'bin'}"
    return env


def digest_of(names: Sequence[str], *, salt: str) -> str:
    """One hash over the files that decide what gets installed."""
    digest = hashlib.sha256(salt.encode())
    for name in names:
        digest.update(f"\0{name}\0".encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()


def stamp_path(part: str) -> Path:
    return VENV / f"vtapweb-{part}.stamp"


def is_stamped(part: str, digest: str) -> bool:
    path = stamp_path(part)
    return path.is_file() and path.read_text(encoding="ascii").strip() == digest


@contextlib.contextmanager
def one_set_up_at_a_time() -> Iterator[None]:
    path = ROOT / ".venv-lock"
    try:
        file = path.open("w", encoding="ascii")
    except OSError as error:
        raise SetupError(
            f"cannot write to {ROOT} ({error.strerror}). Fix: give this user write access to the checkout, or clone it where there is some."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up of this checkout is running; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(what: str, command: Sequence[str], *, explain: Mapping[str, str], env: Mapping[str, str] | None = None) -> None:
    """Runs one step with its output in the log. Says every 15 s that it goes on; raises SetupError with the log's end when it fails."""
    say(f"{what} …")
    started = time.monotonic()
    is_done = threading.Event()

    def tell() -> None:
        while not is_done.wait(15):
            say(f"  still at it, {time.monotonic() - started:.0f} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        result = subprocess.run(
            list(command), cwd=ROOT, env=dict(env or environment()), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        output, code = result.stdout + result.stderr, result.returncode
    except OSError as error:
        output, code = str(error), 127
    finally:
        is_done.set()
        teller.join()
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{output}\n")
    if code:
        tail = "\n".join(f"  | {line}" for line in output.strip().splitlines()[-12:])
        fix = next((text for pattern, text in explain.items() if re.search(pattern, output, re.IGNORECASE)), "")
        raise SetupError(f"{what}: failed (exit {code}).\n{tail}\n{fix or 'Fix: see the lines above'}\nThe whole output: {LOG}")


NETWORK_ADVICE = {
    r"no space left": "Fix: free some disk space, then start again.",
    r"certificate_verify_failed|self.signed certificate|unable to get local issuer": (
        "Fix: the network's private CA is not trusted. Set SSL_CERT_FILE to a file with its certificate (PEM), then start again."
    ),
    r"proxyerror|tunnel connection failed|407 ": "Fix: the proxy refused. Check HTTPS_PROXY (http://user:password@host:port), then start again.",
    r"name resolution|name or service not known|enotfound|eai_again|network is unreachable|connection refused|econnrefused|timed out|etimedout": (
        "Fix: the package registry cannot be reached. Behind a proxy set HTTPS_PROXY; with a mirror of your own set PIP_INDEX_URL and"
        " npm_config_registry; then start again."
    ),
    r"no matching distribution|could not find a version": (
        "Fix: the package index has no such package for this Python and machine. Check PIP_INDEX_URL, or use Python 3.11 to 3.13."
    ),
    r"permission denied|eacces": "Fix: give this user write access to the checkout, then start again.",
}


def check_modules() -> None:
    missing = []
    for name in ("venv", "ensurepip", "ssl", "sqlite3"):
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    if missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"this Python ({sys.executable}) lacks the module{'s' if len(missing) > 1 else ''} {', '.join(missing)}."
            f" Fix: on Debian or Ubuntu `apt install python{version}-venv` (or python3-venv); elsewhere install a complete Python."
        )


def venv_works() -> bool:
    return PYTHON.exists() and subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def set_up_python(purpose: str) -> None:
    """`.venv` with the pinned packages; a second purpose adds its own on top of the first."""
    requirements = {"run": "requirements.txt", "dev": "requirements-dev.txt"}[purpose]
    salt = f"{sys.version_info[0]}.{sys.version_info[1]} {VENV.resolve()}"
    digests = {"run": digest_of(["requirements.txt", "constraints.txt"], salt=salt)}
    if purpose == "dev":
        digests["dev"] = digest_of(["requirements.txt", "requirements-dev.txt", "constraints.txt"], salt=salt)
    if is_stamped(f"python-{purpose}", digests[purpose]) and PYTHON.exists():
        return
    check_modules()
    if not venv_works():
        run("making the Python environment (.venv)", [sys.executable, "-I", "-m", "venv", "--clear", str(VENV)], explain=NETWORK_ADVICE)
    run(
        "installing the Python packages (about a minute)" if purpose == "run" else "installing the Python packages that tests need",
        [str(PYTHON), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", "-q", "-r", requirements, "-c", "constraints.txt"],
        explain=NETWORK_ADVICE,
    )
    for part, digest in digests.items():
        stamp_path(f"python-{part}").write_text(digest, encoding="ascii")


def find_npm() -> list[str] | None:
    """A system npm that answers, else the one of the Node.js wheel in `.venv`, else None."""
    for candidate in (shutil.which("npm"), str(VENV / "bin" / "npm")):
        if candidate and Path(candidate).exists():
            answer = subprocess.run([candidate, "--version"], capture_output=True, env=environment(), check=False, cwd=ROOT)
            if answer.returncode == 0:
                return [candidate]
    return None


def set_up_front_end(purpose: str) -> None:
    """node_modules by `npm ci`, and what pages load of it in static/vendor/."""
    if not (ROOT / "package-lock.json").is_file():
        return
    digest = digest_of(["package.json", "package-lock.json", ".npmrc", COPY_SCRIPT], salt="")
    has_vendor = VENDOR.is_dir()
    wanted = (f"node-{purpose}", "node-dev")
    stamp_dir = ROOT / "node_modules"
    if has_vendor and any((stamp_dir / f".{name}.stamp").is_file() and (stamp_dir / f".{name}.stamp").read_text() == digest for name in wanted):
        return
    npm = find_npm()
    if npm is None:
        run(
            "installing Node.js from its wheel, as this machine has no npm that works",
            [str(PYTHON), "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off", "-q", "-r", "requirements-node.txt"],
            explain=NETWORK_ADVICE,
        )
        npm = find_npm()
        if npm is None:
            raise SetupError("Node.js was installed, but its npm does not start. Fix: install Node.js 20 or newer with npm, then start again.")
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run("installing the front-end packages", command if purpose == "dev" else [*command, "--omit=dev"], explain=NETWORK_ADVICE)
    node = shutil.which("node", path=environment()["PATH"]) or "node"
    run("copying what pages load of them", [node, COPY_SCRIPT], explain=NETWORK_ADVICE)
    (stamp_dir / f".node-{purpose}.stamp").write_text(digest)


def has_apt() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(what: str, packages: Sequence[str]) -> None:
    """Debian's packages, by root only. Raises SetupError."""
    env = {**environment(), "DEBIAN_FRONTEND": "noninteractive"}
    run("reading Debian's package lists", ["apt-get", "update", "-q"], explain=NETWORK_ADVICE, env=env)
    run(what, ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], explain=NETWORK_ADVICE, env=env)


def set_up_network_tools() -> None:
    """What the tests of the collector agent make networks with. Where it cannot be had, those tests fail unless they are left out by name."""
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    packages = sorted({package for tool, found in TEST_TOOLS.items() if shutil.which(tool, path=path) is None for package in found.split()})
    if not packages:
        return
    lack = f"the tests of the collector agent need {', '.join(packages)}: install them, or leave those tests out with --without-namespaces."
    if not has_apt():
        say(lack)
        return
    try:
        apt_install("installing what the tests of the collector agent make networks with", packages)
    except SetupError as error:
        say(f"{error}\n{lack}")


def set_up_peers() -> None:
    """The programs that tests let send to us and be asked by us, unpacked beside the environment. Without them those tests fail and say so."""
    folder = PEERS_FOLDER / "packages"
    missing = sorted(
        {package for tool, package in PEERS.items() if shutil.which(tool) is None and not (PEERS_FOLDER / "usr" / "bin" / tool).is_file()}
    )
    if not missing:
        return
    lack = f"the tests with real senders need the Debian packages {', '.join(missing)} (or their programs on the PATH)."
    if not has_apt() or shutil.which("dpkg-deb") is None:
        say(lack)
        return
    folder.mkdir(parents=True, exist_ok=True)
    env = {**environment(), "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run("reading Debian's package lists", ["apt-get", "update", "-q"], explain=NETWORK_ADVICE, env=env)
        for package in missing:
            fetch = ["sh", "-c", 'cd "$1" && exec apt-get download -q "$2"', "sh", str(folder), package]
            run(f"fetching {package} for the tests with real senders", fetch, explain=NETWORK_ADVICE, env=env)
            for archive in folder.glob(f"{package}_*.deb"):
                run(f"unpacking {archive.name}", ["dpkg-deb", "-x", str(archive), str(PEERS_FOLDER)], explain=NETWORK_ADVICE, env=env)
                archive.unlink()
    except SetupError as error:
        say(f"{error}\n{lack}")


def set_up_browser() -> None:
    """Chromium for the browser tests: the machine's, else Debian's package, else Playwright's own download. None at all is an error."""
    if os.environ.get("VTAPWEB_CHROMIUM") or any(shutil.which(name) for name in BROWSERS) or stamp_path("playwright").is_file():
        return
    reasons = []
    if has_apt():
        try:
            apt_install("installing Chromium for the browser tests", ["chromium"])
        except SetupError as error:
            reasons.append(str(error))
        else:
            if any(shutil.which(name) for name in BROWSERS):
                return
            reasons.append("apt-get installed the package chromium, but no chromium is on the PATH.")
    try:
        run("downloading Playwright's Chromium", [str(PYTHON), "-m", "playwright", "install", "chromium"], explain=NETWORK_ADVICE)
    except SetupError as error:
        reasons.append(str(error))
        raise SetupError(
            "the browser tests need Chromium, and none could be had.\n" + "\n".join(reasons) + "\nFix: install Chromium or Google Chrome, or"
            " set VTAPWEB_CHROMIUM to its path."
        ) from error
    stamp_path("playwright").write_text("installed\n", encoding="ascii")


def main() -> int:
    purpose = sys.argv[1] if len(sys.argv) > 1 else "run"
    try:
        with one_set_up_at_a_time():
            set_up_python(purpose)
            set_up_front_end(purpose)
            if purpose == "dev":
                set_up_browser()
                set_up_network_tools()
                set_up_peers()
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted; the next start goes on from here.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
