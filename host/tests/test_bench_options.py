"""What a bench run may be asked for, and how a wrong wish is refused."""

import pytest

from wattline.bench.options import Options, rating_w
from wattline.errors import WattlineError
from wattline.meter.load import Load


def test_defaults_are_the_readme_run():
    options = Options.checked()
    assert (options.minutes, options.ebn0_db, options.form) == (5.5, 8.0, "2S")


def test_noise_off_and_numbers():
    assert Options.checked(noise="off").ebn0_db is None
    assert Options.checked(noise="2.5").ebn0_db == 2.5


def test_R45_form_belongs_to_the_board():
    assert Options.checked(board="FASY_0624_0003").form == "1S"
    assert Options.checked(board="FASY_0624_0003", form="12S").form == "12S"
    with pytest.raises(WattlineError, match="serves no form 1S; choose one of 2S"):
        Options.checked(form="1S")


@pytest.mark.parametrize("form", ["2S", "2K", "4S"])
@pytest.mark.parametrize("load", ["house", "steady", "solar", "commercial"])
def test_E5_the_default_load_stays_below_the_plausibility_limit(load, form):
    options = Options.checked(load=load, form=form)
    day = Load(load, options.scale, options.seed)
    largest_w = max(abs(day.power_w(t_s)) for t_s in range(0, 86_400, 60))
    assert largest_w == pytest.approx(rating_w(form, 240), rel=0.02)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"minutes": 0}, "--minutes 0 is out of range; give 1 to 1440"),
        ({"noise": "loud"}, "--noise loud is neither a number of dB nor off"),
        ({"noise": "99"}, "--noise 99 is out of range"),
        ({"noise": "nan"}, "--noise nan is out of range"),
        ({"poll_s": 5}, "--poll-s 5 is out of range; give 10 to 3600"),
        ({"cuts": -1}, "--cuts -1 is out of range"),
        ({"scale": 0}, "--scale 0 is out of range"),
        ({"seed": -1}, "--seed -1 is out of range"),
        ({"load": "factory"}, "--load factory is unknown; choose one of"),
        ({"board": "NOPE"}, "NOPE"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_sentence(wish, sentence):
    with pytest.raises(WattlineError) as refusal:
        Options.checked(**wish)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
