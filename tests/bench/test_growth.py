"""What the documentation says of growth is measured on what really is read, stored and shown."""

import pytest

from bench.growth import _listed, _memory, with_growth


def test_a_listing_goes_all_the_way() -> None:
    assert all(seconds > 0 for seconds in _listed(1_000))
    assert _memory(2_000) == 2 * _memory(1_000) > 20_000


def test_the_figures_take_the_place_of_those_before() -> None:
    page = "a\n<!-- growth: written by python -m bench.growth -->\nold\n<!-- end of growth -->\nb\n"

    assert "old" not in with_growth(page, "new")
    assert with_growth(with_growth(page, "x"), "new") == with_growth(page, "new")
    assert with_growth(page, "new").endswith("b\n")
    with pytest.raises(ValueError, match="no place"):
        with_growth("a page", "new")
