"""Importing this loads what answers studies: in the process of which, on Linux, those that answer them are copies."""

from contextlib import suppress

from ACNetLib.quiet_libraries import silence_libraries
from ACNetLib.triage.answer import get_ready

silence_libraries()
with suppress(Exception):  # whatever it is, each study will say it
    get_ready()
