"""As much of curl as docs/api.md uses, for machines that have none: `-H`, `-d`, `-X` and an address; prints the body, and the status behind it."""

import sys
from argparse import ArgumentParser
from urllib.error import HTTPError
from urllib.request import Request, urlopen

WITH_STATUS = "\n%{http_code}"


def main(arguments: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("-X", dest="method")
    parser.add_argument("address")
    asked = parser.parse_args(arguments)
    headers = dict(one.split(": ", 1) for one in asked.headers)
    data = None if asked.data is None else asked.data.encode()
    request = Request(asked.address, data=data, headers=headers, method=asked.method or ("GET" if data is None else "POST"))  # noqa: S310 - loopback
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            status, body = answer.status, answer.read()
    except HTTPError as refused:
        with refused:
            status, body = refused.code, refused.read()
    sys.stdout.buffer.write(body + f"\n{status}".encode())


if __name__ == "__main__":
    main(sys.argv[1:])
