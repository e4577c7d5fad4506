"""Smoke test of an installed wheel, run by .ci/run in a clean environment, away from the repository.

Checks that the wheel puts nothing but `pgen` at the top of site-packages, that the
package is imported from there with its mapped folders and data files, and that
an exact inference on a toy model gives the answer worked out by hand.
"""

import math
import sys
import zipfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path


def check_contents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    require(tops == {"pgen", f"pgen-{version('pgen')}.dist-info"}, f"top level of the wheel: {sorted(tops)}")
    for needed in ("pgen/py.typed", "pgen/backends/base.py", "pgen/grammars/__init__.py"):
        require(needed in names, f"{needed} is not in the wheel")


def check_imports() -> None:
    import pgen
    import pgen.backends.base

    home = Path(pgen.__file__).parent
    require("site-packages" in home.parts, f"pgen comes from {home}")
    require(Path(pgen.backends.base.__file__).parent.parent == home, "pgen.backends is not inside pgen")
    require(files("pgen.grammars").is_dir(), "pgen.grammars is not a package with data")


def check_inference() -> None:
    import pgen
    from pgen.backends.tabular import TabularAR

    vocabulary = pgen.Vocabulary([b"a", b"b", b""], eos=2)
    lm = TabularAR(vocabulary, lambda tokens: [math.log(p) for p in (0.5, 0.3, 0.2)])

    @pgen.program
    def letters() -> str:
        return pgen.sample("x", lm.text("", end="eos").given(pgen.choice("ab", "b")))

    posterior = pgen.infer(letters, method=pgen.Enumerate())
    evidence = 0.5 * 0.3 * 0.2 + 0.3 * 0.2
    require(math.isclose(posterior.log_evidence, math.log(evidence), abs_tol=1e-9), f"{posterior.log_evidence=}")
    require(math.isclose(posterior.probabilities()["ab"], 0.03 / evidence, abs_tol=1e-9), "the posterior is wrong")


def require(truth: bool, message: str) -> None:
    if not truth:
        sys.exit(f"installed wheel: {message}")


if __name__ == "__main__":
    check_contents(Path(sys.argv[1]))
    check_imports()
    check_inference()
    print("installed wheel: ok")
