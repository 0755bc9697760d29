#!/bin/sh
# Installs the vtapweb agent on a collector as a service of systemd, or takes it away again. It counts headers; it never reads, keeps or sends
# payload. Run it as root:
#
#   sh install.sh --server https://vtapweb.example [--interface IF] [--ca-file F] [--token-file F]
#   sh install.sh --uninstall
#   sh install.sh --print-unit        # for packages and for reading before
#
# The collector's token is read from --token-file, else from standard input, else asked for; never from the command line, which everybody on a
# machine can read. Run again, it brings the agent of that server's release and keeps the token, unless it gets another one.
# With DESTDIR set it only writes its files below that folder: no user is made and nothing is started.
set -eu

user=vtap-agent
root=${DESTDIR:-}
lib=/usr/local/lib/vtapweb
etc=/etc/vtapweb
unit=/etc/systemd/system/vtap-agent.service

print_unit() {
    cat <<UNIT
[Unit]
Description=vtapweb agent: counts the mirrored traffic that reaches this collector (headers, never payload)
Wants=network-online.target
After=network-online.target nftables.service firewalld.service
StartLimitIntervalSec=0

[Service]
User=$user
Group=$user
EnvironmentFile=$etc/agent.conf
ExecStart=/usr/bin/env python3 -I $lib/vtap_agent.py --token-file $etc/agent.token \$VTAP_AGENT_ARGS
ExecStopPost=-/usr/bin/env python3 -I $lib/vtap_agent.py --remove-table
Restart=always
RestartSec=5
TimeoutStopSec=20

# The one right it has: nftables. Without CAP_NET_RAW it could not see a packet if it wanted to.
AmbientCapabilities=CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
MemoryMax=256M
TasksMax=16

[Install]
WantedBy=multi-user.target
UNIT
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

# Downloads $1 to $2, by the CA in $3 if that is not empty; follows no redirection to another server.
download() {
    python3 -I - "$1" "$2" "$3" <<'PYTHON' || fail "cannot download $1"
import ssl, sys, urllib.request
from urllib.parse import urlsplit
url, path, ca_file = sys.argv[1:]
try:
    context = ssl.create_default_context(cafile=ca_file or None)
    with urllib.request.urlopen(url, timeout=20, context=context) as answer:
        if urlsplit(answer.geturl())[:2] != urlsplit(url)[:2]:
            sys.exit("install.sh: it is elsewhere now: " + answer.geturl())
        octets = answer.read(1 << 22)
except (OSError, ValueError) as error:
    sys.exit("install.sh: " + str(error))
with open(path, "wb") as file:
    file.write(octets)
PYTHON
}

uninstall() {
    systemctl disable --now vtap-agent.service 2>/dev/null || :
    rm -f "$unit" "$lib/vtap_agent.py" "$etc/agent.conf" "$etc/agent.token" "$etc/ca.pem"
    rmdir "$lib" "$etc" 2>/dev/null || :
    systemctl daemon-reload
    userdel "$user" 2>/dev/null || :
    echo "The vtapweb agent is gone."
}

# One word for the file that systemd reads the arguments from.
word() {
    case $2 in
        '' | *[!A-Za-z0-9._:/@%+,=~-]* | -*) fail "$1 cannot be '$2'" ;;
    esac
}

server='' interface='' ca_file='' token_file='' is_insecure='' is_uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
        --print-unit) print_unit; exit 0 ;;
        --uninstall) is_uninstall=yes; shift; continue ;;
        --insecure-http) is_insecure=yes; shift; continue ;;
        --server | --interface | --ca-file | --token-file) [ $# -ge 2 ] || fail "$1 needs a value" ;;
        *) fail "$1 is not known; see the lines at the top of this file" ;;
    esac
    case $1 in
        --server) server=${2%/} ;;
        --interface) interface=$2 ;;
        --ca-file) ca_file=$2 ;;
        --token-file) token_file=$2 ;;
    esac
    shift 2
done

if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail "run it as root (sudo sh install.sh …)"
    command -v systemctl >/dev/null || fail "this machine has no systemd; start $lib/vtap_agent.py by what it has instead (docs/agent.md)"
fi
if [ -n "$is_uninstall" ]; then
    uninstall
    exit 0
fi

word --server "$server"
case $server in
    https://?*) ;;
    http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) ;;
    http://?*) [ -n "$is_insecure" ] || fail "$server would bring the agent and take the token unencrypted; use https, or say --insecure-http" ;;
    *) fail "--server should read like https://vtapweb.example" ;;
esac
arguments="--server $server"
[ -z "$is_insecure" ] || arguments="$arguments --insecure-http"
if [ -n "$interface" ]; then
    word --interface "$interface"
    arguments="$arguments --interface $interface"
fi
[ -z "$ca_file" ] || [ -r "$ca_file" ] || fail "--ca-file $ca_file cannot be read"
PATH=$PATH:/usr/sbin:/sbin
command -v python3 >/dev/null || fail "python3 is missing (3.8 or newer)"
python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 8))' || fail "python3 is too old: $(python3 --version); 3.8 or newer is needed"
command -v nft >/dev/null || echo "install.sh: nft is missing (package nftables): the agent will send totals only, none per source." >&2

if [ -n "$token_file" ]; then
    token=$(cat "$token_file")
elif [ ! -t 0 ]; then
    token=$(cat)
elif [ -s "$root$etc/agent.token" ]; then
    token=''
else
    printf 'Token of this collector (it is not shown): ' >&2
    trap 'stty echo' EXIT
    stty -echo
    read -r token
    stty echo
    trap - EXIT
    echo >&2
fi
case $token in
    '') [ -s "$root$etc/agent.token" ] || fail "no token: give it with --token-file or on standard input" ;;
    *[!A-Za-z0-9._~+/=-]*) fail "that is no token: it should be one word" ;;
esac

mkdir -p "$root$lib" "$root$etc" "$root${unit%/*}"
download "$server/agent/vtap_agent.py" "$root$lib/vtap_agent.new" "$ca_file"
version=$(python3 -I "$root$lib/vtap_agent.new" --version 2>/dev/null) || fail "what $server sent is not the agent"
chmod 755 "$root$lib/vtap_agent.new"
mv -f "$root$lib/vtap_agent.new" "$root$lib/vtap_agent.py"
if [ -n "$ca_file" ]; then
    cp -f "$ca_file" "$root$etc/ca.pem"
    chmod 644 "$root$etc/ca.pem"
    arguments="$arguments --ca-file $etc/ca.pem"
fi
echo "VTAP_AGENT_ARGS=$arguments" >"$root$etc/agent.conf"
print_unit >"$root$unit"
if [ -z "$root" ] && ! id "$user" >/dev/null 2>&1; then
    useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "$user"
fi
if [ -n "$token" ]; then
    (umask 077 && printf '%s\n' "$token" >"$root$etc/agent.token.new")
    if [ -z "$root" ]; then
        chown "root:$user" "$root$etc/agent.token.new"
        chmod 640 "$root$etc/agent.token.new"
    fi
    mv -f "$root$etc/agent.token.new" "$root$etc/agent.token"
fi
if [ -n "$root" ]; then
    echo "The files of the vtapweb agent $version are below $root."
    exit 0
fi

systemctl daemon-reload
systemctl stop vtap-agent.service 2>/dev/null || :
# shellcheck disable=SC2086 # the arguments are words
python3 -I "$lib/vtap_agent.py" --doctor --token-file "$etc/agent.token" $arguments || echo "The service starts all the same, and tries on." >&2
systemctl enable vtap-agent.service
systemctl restart vtap-agent.service
echo "The vtapweb agent $version runs. What it says: journalctl -u vtap-agent"
