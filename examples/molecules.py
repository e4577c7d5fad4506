"""Molecules from a diffusion model: a language for their form, steering towards what we want, and a core kept in place.

Uses the bundled model; nothing is downloaded.
"""

from __future__ import annotations

import pgen
from pgen.programs.canvas import CanvasDistribution

ATOM = r"(Br|Cl|[CFNOScnos]|\[nH\])([-=#]?[12])*"
BRANCHES = r"([^()]|\(([^()]|\([^()]*\))*\))*"


def well_formed() -> pgen.Language:
    """SMILES with branches of depth two and both ring digits in pairs: an intersection of small automata."""
    form = pgen.Regex(rf"{ATOM}(\(?[-=#]?{ATOM}|\))*") & pgen.Regex(BRANCHES)
    for digit in "12":
        form &= pgen.Regex(f"([^{digit}]|{digit}[^{digit}]*{digit})*")
    return form


def small_and_polar(text: str) -> float:
    """A reward in nats: oxygen and nitrogen wanted, long texts not."""
    return 0.7 * sum(text.upper().count(atom) for atom in "ON") - 0.1 * len(text)


def with_core(core: str) -> pgen.Language:
    """Well-formed texts that contain `core`."""
    return well_formed() & pgen.Regex(f".*{core}.*")


def candidates(text: CanvasDistribution, seed: int, particles: int = 16) -> pgen.Posterior:
    """Particles that share model calls; the weights make them the model's own process under the language."""
    return pgen.infer(text, method=pgen.SMC(particles, resample="tokens"), seed=seed)


def main() -> None:
    model = pgen.load("molecules-diffusion")
    text = model.text("", length=32, steps=16)
    for title, wanted in {
        "well-formed": text.given(well_formed()),
        "with a benzene ring": text.given(with_core("c1ccccc1")),
        "rewarded": text.given(well_formed()).weighted(small_and_polar, previews=True),
    }.items():
        posterior = candidates(wanted, seed=0)
        print(f"{title}: log evidence {posterior.log_evidence:.1f}")
        for molecule, share in list(posterior.probabilities().items())[:3]:
            print(f"  {share:.0%}  {molecule}")


if __name__ == "__main__":
    main()
