"""Put `jobs`, `conf` and `benchmarks`, which stand at the repository's top, into `lp_ray` when it is installed.

So no folder of such a common name lands among other people's packages.
"""

from setuptools import find_namespace_packages, find_packages, setup

BESIDE = ("jobs", "conf", "benchmarks")
"""Folders at the top that are packages of `lp_ray` in a wheel."""


def packages_of(folder: str) -> list[str]:
    """Return a folder at the top and all folders in it, which may hold files that are no modules."""
    return [folder, *(f"{folder}.{name}" for name in find_namespace_packages(folder, exclude=["*__pycache__*"]))]


setup(
    packages=[
        *find_packages(include=["lp_ray", "lp_ray.*"]),
        *(f"lp_ray.{name}" for folder in BESIDE for name in packages_of(folder)),
    ],
    package_dir={f"lp_ray.{folder}": folder for folder in BESIDE},
)
