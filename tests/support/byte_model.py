"""A tabular model over single bytes with equal probabilities, and a record of what it was asked."""

import math

import pgen
from pgen.backends.tabular import TabularAR

SIZE = 257
LOG_P = -math.log(SIZE)


def byte_model(**options):
    vocabulary = pgen.Vocabulary([*(bytes([b]) for b in range(256)), b""], eos=256)
    return TabularAR(vocabulary, lambda tokens: [LOG_P] * SIZE, **{"context_length": 4096, **options})
