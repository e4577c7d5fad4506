import numpy as np
import pytest

from pgen import InvalidArgument
from pgen.sampling import CounterRng
from pgen.sampling.rng import foresee


def test_a_place_is_a_pure_function_of_seed_and_numbers():
    first = [CounterRng(3).at(t, i).uniform() for t in range(4) for i in range(5)]
    backwards = [CounterRng(3).at(t).at(i).uniform() for t in reversed(range(4)) for i in reversed(range(5))]
    assert first == backwards[::-1]


def test_streams_of_different_places_differ_even_where_one_is_padded_with_zeros():
    places = [(), (0,), (0, 0), (0, 0, 0), (1,), (0, 1), (1, 0)]
    draws = [CounterRng(7).at(*place).uniform() for place in places]
    assert len(set(draws)) == len(places)
    assert CounterRng(8).uniform() != CounterRng(7).uniform()


def test_large_seeds_use_all_their_bits():
    assert CounterRng(1).uniform() != CounterRng(1 + 2**64).uniform()


def test_uniforms_over_places_are_uniform():
    draws = np.array([CounterRng(0).at(5, i).uniform() for i in range(4000)])
    counts = np.histogram(draws, bins=10, range=(0, 1))[0]
    # chi-squared with 9 degrees of freedom: 27.9 is its 99.9% quantile; the seed is fixed.
    assert ((counts - 400) ** 2 / 400).sum() < 27.9


@pytest.mark.parametrize("bad", [lambda: CounterRng(-1), lambda: CounterRng(0).at(1, 2, 3, 4)])
def test_bad_arguments_are_refused(bad):
    with pytest.raises(InvalidArgument):
        bad()


def test_foreseen_numbers_are_the_numbers_of_the_streams():
    places = [(), (0,), (5,), (3, 2), (3, 0), (2**40, 1, 7)]
    plain, told = ([CounterRng(3).at(*place) for place in places] for _ in range(2))
    foresee(told)
    assert all(stream.is_fresh for stream in told)
    assert [[s.uniform() for _ in range(3)] for s in told] == [[s.uniform() for _ in range(3)] for s in plain]


def test_a_seed_drawn_from_a_foreseen_stream_is_its_own():
    plain, told, later = (CounterRng(3).at(4) for _ in range(3))
    foresee([told, later])
    assert told.seed() == plain.seed()
    assert (later.uniform(), later.seed()) == ((again := CounterRng(3).at(4)).uniform(), again.seed())
