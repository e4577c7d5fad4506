"""How a posterior is shown to a person: text, HTML, a plot, and a diagnosis in words."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pgen.inference.posterior import Posterior

ROWS = 12
WIDTH = 60
FEW = 20
"""Effective sample size below which a share may well be off by a fifth."""


def as_text(posterior: Posterior) -> str:
    """A table of the likeliest values under a line about the run."""
    rows = [f"  {share:7.2%}  {_short(value)}" for value, share in _ranked(posterior)[:ROWS]]
    return "\n".join([_headline(posterior), *rows, *_more(posterior)])


def as_html(posterior: Posterior) -> str:
    """The same table for notebooks, with bars."""
    cells = "".join(
        f"<tr><td style='text-align:right'>{share:.2%}</td>"
        f"<td><div style='background:#4878a8;height:.8em;width:{100 * share:.1f}px'></div></td>"
        f"<td style='text-align:left'><code>{html.escape(_short(value))}</code></td></tr>"
        for value, share in _ranked(posterior)[:ROWS]
    )
    more = "".join(f"<p>{html.escape(line.strip())}</p>" for line in _more(posterior))
    return f"<div><p><b>{html.escape(_headline(posterior))}</b></p><table>{cells}</table>{more}</div>"


def plot(shares: dict[Any, float], limit: int, axes: Axes | None) -> Axes:
    """Horizontal bars of the `limit` likeliest values."""
    import matplotlib.pyplot as plt

    drawn = axes if axes is not None else plt.subplots(figsize=(7, 0.4 * min(limit, len(shares)) + 1))[1]
    likeliest = list(shares.items())[:limit][::-1]
    drawn.barh([_short(value) for value, _ in likeliest], [share for _, share in likeliest], color="#4878a8")
    drawn.set_xlabel("posterior probability")
    drawn.set_xlim(0, 1)
    drawn.figure.tight_layout()  # type: ignore[union-attr]
    return drawn


def diagnosis(posterior: Posterior) -> str:
    """Sentences on how far to trust a posterior, and what to do."""
    return "\n".join([f"Label: {posterior.label} ({posterior.method}).", *posterior.notes, *_findings(posterior)])


def _findings(posterior: Posterior) -> list[str]:
    if posterior.complete:
        share = math.exp(min(0.0, posterior.log_unexplored - posterior.log_evidence))
        if share == 0:
            return ["Every choice was enumerated: the result is exact to rounding.", *_eaters(posterior)]
        return [
            f"At most {share:.2g} of the mass was left out (unless a later factor is above 0).",
            *_eaters(posterior),
        ]
    count, ess = len(posterior.values), posterior.ess
    findings = [
        f"Effective sample size {ess:.1f} of {count}; {len({repr(v) for v in posterior.values})} distinct values."
    ]
    if posterior.label == "exact":
        return findings
    if ess < 0.1 * count or ess < FEW:
        findings.append(
            f"Warning: few runs carry the weight, a share of one half is known to about ±{0.5 / math.sqrt(ess):.2f}: "
            "use more particles, a larger lookahead, or pgen.Enumerate."
        )
    if posterior.ess_path and min(posterior.ess_path) < 2:
        findings.append("At some point one run carried nearly all the weight: the mode may have been lost before.")
    findings += [*_tail(posterior), *_lineages(posterior), *_dead(posterior), *_eaters(posterior)]
    findings.append("Weights cannot show a mode that no run has visited: compare log_evidence over several seeds.")
    return findings


def _tail(posterior: Posterior) -> list[str]:
    shape = posterior.pareto_k
    if not shape > 0.5:
        return []
    said = f"Pareto k-hat {shape:.2f}: the weights have a heavy tail"
    if shape <= 0.7:
        return [f"{said}; averages converge slowly."]
    return [f"{said}, averages and the evidence are not to be trusted: use a larger lookahead or .guided(...)."]


def _lineages(posterior: Posterior) -> list[str]:
    lineages, count = posterior.ancestors, len(posterior.values)
    n_roots = len(set(posterior.lineage))
    if posterior.lineage and n_roots <= count / 4:
        return [
            f"Resampling has left descendants of {n_roots} of the runs that started: what those that died early "
            'might have found is not known. Use resample="choices", a lower ess_threshold, or pgen.Importance.'
        ]
    if not lineages or min(lineages) > count / 4:
        return []
    place = 1 + lineages.index(min(lineages))
    return [
        f"All runs descend from {min(lineages)} at choice {place}: what is said about it rests on as many opinions. "
        "Use more particles, a lower ess_threshold, or pgen.MCMC to move the runs."
    ]


def _dead(posterior: Posterior) -> list[str]:
    if not posterior.n_dead:
        return []
    total = posterior.n_dead + len(posterior.values)
    places = ", ".join(f"{count} at {name}" for name, count in posterior.deaths[:3])
    return [f"{posterior.n_dead} of {total} runs died: {places}{', ...' if len(posterior.deaths) > 3 else ''}."]


def _eaters(posterior: Posterior) -> list[str]:
    """The statements that leave least, if they leave less than a tenth."""
    rows = [row for row in posterior.removals if row.removed > 0.9]
    ranked = sorted(rows, key=lambda row: row.log_after - row.log_before)[:3]
    said = [f"{row.name} left {math.exp(row.log_after - row.log_before):.2g} of the mass before it" for row in ranked]
    if not said:
        return []
    return [f"{'; '.join(said)}. pgen.mass_report(text) charges a text's languages and critics one by one."]


def _headline(posterior: Posterior) -> str:
    return (
        f"Posterior [{posterior.label}] log evidence {posterior.log_evidence:.4g}, "
        f"ess {posterior.ess:.1f} of {len(posterior.values)}, {posterior.n_evaluations} model evaluations, "
        f"{posterior.method}"
    )


def _ranked(posterior: Posterior) -> list[tuple[Any, float]]:
    mass: dict[str, float] = {}
    first: dict[str, Any] = {}
    for weight, value in zip(posterior.weights, posterior.values, strict=True):
        first.setdefault(repr(value), value)
        mass[repr(value)] = mass.get(repr(value), 0.0) + float(weight)
    return sorted(((first[key], share) for key, share in mass.items()), key=lambda item: -item[1])


def _more(posterior: Posterior) -> list[str]:
    rest = _ranked(posterior)[ROWS:]
    return [f"  {sum(share for _, share in rest):7.2%}  on {len(rest)} more values"] if rest else []


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
