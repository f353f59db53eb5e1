"""The shipped samples in Slicer's Sample Data module, and the panel's own button for one of them."""

from __future__ import annotations

from pathlib import Path

from slicer import vtkMRMLScalarVolumeNode

from ACNetLib.sample_data import SampleCase, sample_cases

CATEGORY = "ACNet"
THUMBNAILS = Path(__file__).resolve().parents[2] / "Resources" / "Icons"


def register_samples() -> None:
    """Add the shipped samples to the Sample Data module, which exists when Slicer has started up."""
    import SampleData

    for case in sample_cases():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=case.name,
            uris=case.volume.as_uri(),
            fileNames=case.volume.name,
            nodeNames=case.name,
            checksums=f"SHA256:{case.sha256}",
            thumbnailFileName=str(THUMBNAILS / f"{case.name}.png"),
        )


def load_sample() -> vtkMRMLScalarVolumeNode:
    """The simulated DCM patient as a volume of the scene."""
    import SampleData

    return SampleData.SampleDataLogic().downloadSample(_dcm_case().name)


def _dcm_case() -> SampleCase:
    return next(case for case in sample_cases() if case.label == "dcm")
