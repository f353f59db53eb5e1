"""The fit of a folder in a process of its own, which can be watched and stopped at any moment.

python -m ACNetLib.fitting.process FOLDER MAP.nrrd
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ACNetLib.errors import ACNetError, one_line
from ACNetLib.inference.settings import Progress
from ACNetLib.processes import end, run_tied
from ACNetLib.quiet_libraries import silence_libraries

MODULE = "ACNetLib.fitting.process"
REFUSED = 2
LOOK_SECONDS, AT_ONCE = 0.1, 0.0


def fit_in_process(folder: Path, map_file: Path, progress: Progress) -> tuple[str, ...]:
    """Write the map of a folder's recovery images and what lies beside it, see `maps.write_maps`. Returns what a user
    should know of it.

    Raises ACNetError for what a user can put right. What `progress` raises ends the process.
    """
    said, refused = map_file.with_suffix(".progress"), map_file.with_suffix(".errors")
    with said.open("wb") as output, refused.open("wb") as errors:
        arguments = [str(folder.absolute()), str(map_file)]
        process = run_tied(MODULE, arguments, AT_ONCE, stdout=output, stderr=errors)
    try:
        while process.poll() is None:
            progress("fit", _fraction_in(said))
            time.sleep(LOOK_SECONDS)
    finally:
        end(process, AT_ONCE)
    text = refused.read_text(encoding="utf-8", errors="replace").strip()
    if process.returncode == REFUSED:
        raise ACNetError(text)
    if process.returncode != 0:
        raise RuntimeError(text or f"the fit ended with {process.returncode}")
    return tuple(_notes_file(map_file).read_text(encoding="utf-8").splitlines())


def _notes_file(map_file: Path) -> Path:
    return map_file.with_suffix(".notes")


def _fraction_in(said: Path) -> float:
    """The last whole line of what the process says."""
    lines = said.read_text(encoding="utf-8").split("\n")[:-1]
    return float(lines[-1]) if lines else 0.0


def main(folder: str, map_file: str) -> int:
    from ACNetLib.fitting.images import read_recovery_images
    from ACNetLib.fitting.maps import fit_maps, write_maps

    silence_libraries()
    try:
        recovery = read_recovery_images(Path(folder))
        maps = fit_maps(recovery, progress=lambda _step, part: print(part, flush=True))
        write_maps(maps, Path(map_file))
        _notes_file(Path(map_file)).write_text("\n".join(map(one_line, maps.warnings)), encoding="utf-8")
    except ACNetError as error:
        print(error.shown, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
