"""The shipped samples in Slicer's Sample Data module, and the panel's own button for one of them."""

from __future__ import annotations

from typing import Any

from slicer import vtkMRMLScalarVolumeNode

from ACNetLib.resources import resources_folder
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY, read_t1_map

CATEGORY = "ACNet"
THUMBNAILS = resources_folder() / "Icons"


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
            customDownloader=lambda _source, case=case: load_sample(case),
        )


def load_sample(case: SampleCase | None = None) -> vtkMRMLScalarVolumeNode:
    """A sample, by default the simulated DCM patient, as a volume of the scene with its field strength."""
    import SampleData

    case = case or next(each for each in sample_cases() if each.label == "dcm")
    if not SampleData.SampleDataLogic.sampleDataSourcesByCategory(CATEGORY):
        register_samples()  # the module was loaded into a Slicer that had started up before
    sources: list[Any] = SampleData.SampleDataLogic.sampleDataSourcesByCategory(CATEGORY)
    source = next(each for each in sources if each.sampleName == case.name)
    (volume,) = SampleData.SampleDataLogic().downloadFromSource(source)
    # Slicer's reader of volumes leaves our keys in the file.
    volume.SetAttribute(FIELD_STRENGTH_KEY, f"{read_t1_map(case.volume).field_strength_tesla:g}")
    volume.SetAttribute(SIMULATED_KEY, "1")
    return volume
