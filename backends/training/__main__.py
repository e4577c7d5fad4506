"""Train one of the bundled molecule models.

    python -m bench.fetch_molecules
    python -m pgen.backends.training autoregressive --data bench/data --seconds 1500 --to backends/molecules

Writes `<objective>.safetensors` (float16, with the sizes as metadata) and `<objective>.json` (the log, which
holds that of the weights it began with).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from pgen.backends.molecules.files import read_network, write_network
from pgen.backends.molecules.vocabulary import CANVAS, N_TOKENS
from pgen.backends.training.log import TrainingLog
from pgen.backends.training.loop import Settings, train
from pgen.backends.training.molecules import read
from pgen.backends.training.objectives import OBJECTIVES
from pgen.backends.transformer import Transformer, TransformerShape

SHAPE = TransformerShape(N_TOKENS, 1 + CANVAS, width=128, n_layers=4, n_heads=4)
N_HELD_OUT = 2048


def main() -> None:
    """Trains what the command line asks for."""
    options = _options()
    torch.set_num_threads(1)
    settings = Settings(options.seconds, batch=options.batch, rate=options.rate, seed=options.seed)
    torch.manual_seed(settings.seed)
    network = _network(options.objective, options.start_from)
    molecules = read(options.data / "moses-train.csv.gz", options.limit)
    held_out = read(options.data / "moses-test.csv.gz", N_HELD_OUT)
    about = {
        "objective": options.objective,
        "start_from": options.start_from and json.loads(options.start_from.with_suffix(".json").read_text()),
        "shape": network.shape._asdict(),
        "n_parameters": sum(p.numel() for p in network.parameters()),
        "settings": settings._asdict(),
        "data": [
            {"molecules": len(d.lengths), "left_out": d.n_left_out, "sha256": d.sha256} for d in (molecules, held_out)
        ],
    }
    target = options.to / f"{options.objective}.safetensors"
    log = TrainingLog(target.with_suffix(".json"), about)
    train(
        network,
        OBJECTIVES[options.objective],
        molecules,
        held_out,
        settings,
        log,
        lambda: write_network(network, target),
    )


def _network(objective: str, start_from: Path | None) -> Transformer:
    network = Transformer(SHAPE._replace(n_outputs=1 if objective == "insertion" else 0))
    if start_from:
        network.load_state_dict(read_network(start_from).state_dict(), strict=False)
    return network


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objective", choices=sorted(OBJECTIVES))
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder of moses-train.csv.gz and moses-test.csv.gz"
    )
    parser.add_argument("--to", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--seconds", type=float, default=1500.0, help="processor seconds of training")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--batch", type=int, default=32, help="molecules a step")
    parser.add_argument("--limit", type=int, help="read only so many training molecules")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start-from", type=Path, help="weights of another model to begin with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
