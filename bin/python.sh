# shellcheck shell=sh
# Sourced by the other scripts here: sets $root (the checkout) and $python (the environment's own, everything installed).
# The sourcing script sets $purpose: "run" (what the product needs) or "dev" (what tests and benchmarks need as well).

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
python="$root/.venv/bin/python"

system_python=
for candidate in "${VTAPWEB_PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python3.14; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        system_python=$candidate
        break
    fi
done
if [ -z "$system_python" ]; then
    found=$(python3 --version 2>&1) || found="none on the PATH"
    {
        echo "vtapweb needs Python 3.11 or newer; found: $found."
        echo "Fix: install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13)"
        echo "or say where it is: VTAPWEB_PYTHON=/path/to/python3.11 $0"
    } >&2
    exit 1
fi

"$system_python" -I "$root/bin/setup.py" "${purpose:-run}" || exit $?
