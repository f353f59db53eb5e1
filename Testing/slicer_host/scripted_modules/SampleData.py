"""A stand-in for Slicer's module SampleData: the register of samples of one volume each, and their way into the scene.

In Slicer a button of that module stands for each source. A click calls `source.customDownloader(source)` if there is
one, else `SampleDataLogic().downloadFromSource(source)`.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import slicer.util


@dataclass
class SampleDataSource:
    """As in Slicer the address, name, node and checksum of its file stand in lists."""

    sampleName: str
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str]
    checksums: list[str]
    thumbnailFileName: str | None
    customDownloader: Callable[[SampleDataSource], Any] | None


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(
        category: str,
        sampleName: str,
        uris: str,
        fileNames: str,
        nodeNames: str,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        *,
        checksums: str,
    ) -> None:
        """The same source again stays one."""
        lists = [uris], [fileNames], [nodeNames], [checksums]
        source = SampleDataSource(sampleName, *lists, thumbnailFileName, customDownloader)
        sources = vars(slicer.modules).setdefault("sampleDataSources", {}).setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str) -> list[SampleDataSource]:
        return vars(slicer.modules).get("sampleDataSources", {}).get(category, [])

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """Its volume, without the file; nothing where the checksum of the file is another."""
        file = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / source.fileNames[0]
        urllib.request.urlretrieve(source.uris[0], file)
        algorithm, digest = slicer.util.extractAlgoAndDigest(source.checksums[0])
        if slicer.util.computeChecksum(algorithm, str(file)) != digest:
            return []
        node = slicer.util.loadVolume(str(file), {"name": source.nodeNames[0]})
        slicer.mrmlScene.RemoveNode(node.GetStorageNode())  # the scene must not refer to the cache
        node.SetAndObserveStorageNodeID(None)
        return [node]
