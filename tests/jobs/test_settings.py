"""No default is written twice: what a command composes, and what the docs say, come from the declarations."""

from __future__ import annotations

from dataclasses import asdict

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from jobs.groups import store_groups
from jobs.help import CONF
from jobs.setup import options_from, settings_from
from lp_ray.base.limits import Limits
from lp_ray.contract.measuring import Measuring
from lp_ray.contract.options import PairOptions
from scripts import api_page, settings_page


def test_what_a_command_composes_is_what_is_declared() -> None:
    store_groups()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("animate", ["output=/o", "engine=liveportrait", "detector=insightface"])
    assert options_from(config) == PairOptions()
    settings = settings_from(config, "file:///o", "file:///o/t")
    assert settings.limits == Limits()
    assert (settings.engine.name, settings.engine.precision) == ("liveportrait", "float32")
    assert settings.animal_detector.given() == {"points": 9, "min_score": 0.1}
    stages = {"track", "extract", "source", "animate", "write", "finalize", "filter_source", "filter_driving"}
    assert set(OmegaConf.to_container(config.pools)) == stages
    assert asdict(settings)["max_unexpected"] == 20
    assert settings.measuring == Measuring()


def test_the_page_of_settings_is_what_is_declared() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "run `python scripts/settings_page.py`"


def test_the_page_of_the_api_is_what_the_docstrings_say() -> None:
    assert api_page.PAGE.read_text() == api_page.page(), "run `python -m scripts.api_page`"
