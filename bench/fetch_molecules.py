"""Fetch the molecules of the MOSES benchmark (package `molsets`, MIT) for training and evaluation.

    python -m bench.fetch_molecules

They come from the package index as `pip` knows it, are checked against pinned
SHA-256, and are kept in bench/data, which git ignores.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "0.3.1"
FOLDER = Path(__file__).parent / "data"
SHA256 = {
    "train": "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c",
    "test": "f896fbf3764f88d94670b9959e5872c600c12152a18233823e820761b7a791b2",
}


def fetch() -> dict[str, Path]:
    """The files of training and test molecules, fetched if they are not there."""
    files = {split: FOLDER / f"moses-{split}.csv.gz" for split in SHA256}
    if not all(file.is_file() and _digest(file.read_bytes()) == SHA256[split] for split, file in files.items()):
        _download(files)
    return files


def _download(files: dict[str, Path]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*command, f"molsets=={VERSION}"], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("molsets-*.whl"))) as wheel:
            for split, file in files.items():
                data = wheel.read(f"moses/dataset/data/{split}.csv.gz")
                if _digest(data) != SHA256[split]:
                    sys.exit(f"the {split} molecules of molsets {VERSION} are not the expected file")
                file.write_bytes(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    print(*fetch().values())
