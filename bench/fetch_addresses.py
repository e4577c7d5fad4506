"""Fetch the hand-labelled US addresses of the usaddress source distribution (MIT) for the evaluation and the demo.

    python -m bench.fetch_addresses

They come from the package index as `pip` knows it, are checked against a pinned
SHA-256, and are kept in bench/data, which git ignores.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "0.5.16"
LABELLED = Path(__file__).parent / "data" / "usaddress-labeled.xml"
SHA256 = "dbd125fa01fbdbc4e25cce722c648ce4e224e4c9bdb9b5a14498aa8a042aee32"


def fetch() -> Path:
    """The labelled addresses, fetched if they are not there."""
    if LABELLED.is_file() and _digest(LABELLED.read_bytes()) == SHA256:
        return LABELLED
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", "usaddress", "--dest", folder, f"usaddress=={VERSION}"]
        subprocess.run(command, check=True)
        archive = next(Path(folder).glob("usaddress-*.tar.gz"))
        with tarfile.open(archive) as files:
            member = files.extractfile(f"usaddress-{VERSION}/training/labeled.xml")
            assert member is not None
            data = member.read()
    if _digest(data) != SHA256:
        sys.exit(f"training/labeled.xml of usaddress {VERSION} is not the expected file")
    LABELLED.parent.mkdir(exist_ok=True)
    LABELLED.write_bytes(data)
    return LABELLED


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    print(fetch())
