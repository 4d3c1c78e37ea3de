"""Config: composed by Hydra, checked as a whole, built by calling; nothing outside sees Hydra's own types."""

from dlcourse.config.build import Call, Problems, bind, call
from dlcourse.config.compose import Job, Where, compose, run_hydra
from dlcourse.config.overrides import Resume, resume_request
from dlcourse.config.settings import Settings

__all__ = [
    "Call",
    "Job",
    "Problems",
    "Resume",
    "Settings",
    "Where",
    "bind",
    "call",
    "compose",
    "resume_request",
    "run_hydra",
]
