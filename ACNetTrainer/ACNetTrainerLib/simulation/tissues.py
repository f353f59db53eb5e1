"""What tissues look like to a MOLLI sequence: apparent T1, T2 and relative signal by field strength.

T1 is what a MOLLI 5(3)3 map shows, not the true relaxation time: the literature reports it and readers of maps know it.
`sequences.true_t1_ms` finds the relaxation time behind it. Sources: Granitz 2019 and Dabir 2014 (myocardium),
de Bazelaire 2004 (abdomen, fat, marrow), MyoMapNet 2022 (blood); pericardial fluid: Documentation/other-diseases.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Tissue(IntEnum):
    """What fills a pixel of the simulated body; the value indexes the look-up tables made of `TISSUES`."""

    AIR = 0
    LUNG = 1
    FAT = 2
    MUSCLE = 3
    LIVER = 4
    SPLEEN = 5
    STOMACH = 6
    MARROW = 7
    LEFT_BLOOD = 8
    RIGHT_BLOOD = 9
    MYOCARDIUM = 10
    FLUID = 11


@dataclass(frozen=True)
class TissueProperties:
    """Apparent (MOLLI) T1 and T2 in ms; relative signal: proton density times what survives T2*, 1 for myocardium.

    Fat is out of phase with water in balanced SSFP at these echo times, hence its negative sign.
    """

    t1_ms: float
    t2_ms: float
    relative_signal: float


TISSUES: dict[float, dict[Tissue, TissueProperties]] = {
    1.5: {
        Tissue.AIR: TissueProperties(1000, 40, 0.0),
        Tissue.LUNG: TissueProperties(1230, 40, 0.115),
        Tissue.FAT: TissueProperties(335, 60, -0.35),
        Tissue.MUSCLE: TissueProperties(890, 35, 0.95),
        Tissue.LIVER: TissueProperties(586, 45, 0.90),
        Tissue.SPLEEN: TissueProperties(1057, 75, 1.0),
        Tissue.STOMACH: TissueProperties(1300, 90, 0.8),
        Tissue.MARROW: TissueProperties(520, 50, 0.7),
        Tissue.LEFT_BLOOD: TissueProperties(1560, 200, 1.1),
        Tissue.RIGHT_BLOOD: TissueProperties(1535, 180, 1.1),
        Tissue.MYOCARDIUM: TissueProperties(996, 55.8, 1.0),
        Tissue.FLUID: TissueProperties(3262, 1000, 1.1),
    },
    3.0: {
        Tissue.AIR: TissueProperties(1000, 40, 0.0),
        Tissue.LUNG: TissueProperties(1340, 35, 0.115),
        Tissue.FAT: TissueProperties(372, 60, -0.35),
        Tissue.MUSCLE: TissueProperties(1050, 29, 0.95),
        Tissue.LIVER: TissueProperties(845, 34, 0.85),
        Tissue.SPLEEN: TissueProperties(1328, 61, 1.0),
        Tissue.STOMACH: TissueProperties(1600, 80, 0.8),
        Tissue.MARROW: TissueProperties(586, 49, 0.7),
        Tissue.LEFT_BLOOD: TissueProperties(1850, 150, 1.1),
        Tissue.RIGHT_BLOOD: TissueProperties(1815, 140, 1.1),
        Tissue.MYOCARDIUM: TissueProperties(1184, 51.6, 1.0),
        Tissue.FLUID: TissueProperties(3262, 1000, 1.1),
    },
}
