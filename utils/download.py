#!/usr/bin/env python3
"""Fetch a file from the web: resumed where it was cut off, tried again on a failure, checked by its SHA-256.

Writes  <file>; while it is incomplete <file>.part
Example: utils/download.py --sha256 c3f4…,3030… https://www.openslr.org/resources/1/waves_yesno.tar.gz downloads/waves.tar.gz

Further addresses after the file are mirrors, tried in turn. A file that is there and has the right sum is not fetched again.
"""

import hashlib
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "pylib"))
from sidamo.io import script  # noqa: E402

BLOCK = 1 << 18  # bytes read at a time
TIMEOUT = 30  # seconds without a byte


def sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch(url: str, part: pathlib.Path) -> None:
    """Append to `part` what it lacks of `url`. Raises OSError (URLError and timeouts are such) when it is cut off."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "sidamo", **({"Range": f"bytes={have}-"} if have else {})})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing beyond what we have: complete, or of another length; the sum will tell
            return
        raise
    with response:
        resumed = response.status == 206
        length = response.headers.get("Content-Length")
        expected = (have if resumed else 0) + int(length) if length else None
        with open(part, "ab" if resumed else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                show(file.tell(), expected)
    if expected is not None and part.stat().st_size < expected:
        raise OSError(f"cut off after {part.stat().st_size} of {expected} bytes")


def show(have: int, expected: int | None) -> None:
    if sys.stderr.isatty():
        total = f" of {expected / 1e6:.1f}" if expected else ""
        print(f"\rdownload.py: {have / 1e6:.1f}{total} MB", end="\n" if have == expected else "", file=sys.stderr)


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("--sha256", default="", help="the sum, or several with commas where several are in circulation")
    parser.add_argument("--tries", type=int, default=4, help="per address (default 4)")
    parser.add_argument("--wait", type=float, default=2.0, help="seconds before the second try; doubled each time (default 2)")
    parser.add_argument("url")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("mirror", nargs="*")
    args = parser.parse_args()
    sums = {s.lower() for s in args.sha256.split(",") if s}

    if args.file.is_file():
        if not sums or sha256(args.file) in sums:
            print(f"download.py: {args.file} is there already")
            return 0
        print(f"download.py: {args.file} has another SHA-256 than expected; fetching it again", file=sys.stderr)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    part = args.file.with_name(args.file.name + ".part")
    problem = ""
    for url in [args.url, *args.mirror]:
        for attempt in range(args.tries):
            if attempt:
                time.sleep(args.wait * 2 ** (attempt - 1))
            try:
                fetch(url, part)
            except (OSError, ValueError) as error:  # ValueError: not an address at all
                problem = f"{url}: {error}"
                print(f"download.py: try {attempt + 1} of {args.tries}: {problem}", file=sys.stderr)
                if isinstance(error, ValueError) or getattr(error, "errno", None) == 28:  # ENOSPC: no use to try again
                    break
                continue
            found = sha256(part)
            if sums and found not in sums:
                problem = f"{url}: SHA-256 is {found}, expected {' or '.join(sorted(sums))}"
                print(f"download.py: try {attempt + 1} of {args.tries}: {problem}", file=sys.stderr)
                part.unlink()  # what is wrong cannot be continued
                continue
            os.replace(part, args.file)
            print(f"download.py: {args.file} ({args.file.stat().st_size} bytes)")
            return 0
    print(f"download.py: could not fetch {args.url} ({problem})", file=sys.stderr)
    print("download.py: with no network here, fetch it by hand on another machine and put it at", file=sys.stderr)
    print(f"  {args.file.resolve()}", file=sys.stderr)
    print("download.py: then run the same command again.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
