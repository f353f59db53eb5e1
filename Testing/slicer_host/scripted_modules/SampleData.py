"""A stand-in for Slicer's module SampleData: the register of samples, and their way into the scene.

In Slicer a button of that module stands for each source. A click calls `source.customDownloader(source)` if there is
one, else `SampleDataLogic().downloadFromSource(source)`. `downloadSample(name)` never asks a custom downloader.
"""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import slicer
import slicer.util
import vtk


def downloadSample(sampleName: str) -> Any:
    return SampleDataLogic().downloadSample(sampleName)


def downloadSamples(sampleName: str) -> list:
    return SampleDataLogic().downloadSamples(sampleName)


class SampleDataSource:
    """One or several files, each with its address, checksum, and the node that it becomes.

    Raises ValueError when these don't go together.
    """

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: str | Sequence[str] | None = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
    ) -> None:
        self.sampleName = sampleName
        self.sampleDescription = sampleName if sampleDescription is None else sampleDescription
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}
        if uris is None:
            raise TypeError("a sample needs at least one address, also one with a customDownloader")
        is_one = isinstance(uris, str)
        self.uris: Any = [uris] if is_one else uris

        def for_each_file(value: Any, may_be_missing: bool = True) -> Any:
            if is_one:
                return [value]
            return [None] * len(self.uris) if value is None and may_be_missing else value

        self.fileNames = for_each_file(fileNames, may_be_missing=False)
        self.nodeNames = for_each_file(nodeNames)
        self.checksums = for_each_file(checksums)
        self.loadFiles = for_each_file(loadFiles)
        is_same_type = not is_one and isinstance(loadFileTypes, str)
        self.loadFileTypes = [loadFileTypes] * len(self.uris) if is_same_type else for_each_file(loadFileTypes)
        fields = (self.fileNames, self.nodeNames, self.checksums, self.loadFiles, self.loadFileTypes)
        if any(len(field) != len(self.uris) for field in fields):
            raise ValueError(f"{sampleName}: each field needs one entry for each of the {len(self.uris)} files")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampleDataSource) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class SampleDataLogic:
    """`logMessage(text, logLevel)` is told what happens."""

    def __init__(self, logMessage: Callable[[str, int], None] | None = None) -> None:
        self.logMessage = logMessage or (lambda message, logLevel: logging.log(logLevel, message))

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        _register("sampleDataSourceCategories").setdefault(category, {})["title"] = title

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: str | Sequence[str] | None = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: Any = None,
    ) -> None:
        """The same source again stays one."""
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFileProperties=loadFileProperties,
        )
        if not SampleDataLogic.isSampleDataSourceRegistered(category, source):
            _register("sampleDataSources").setdefault(category, []).append(source)

    @staticmethod
    def categoryTitle(category: str) -> str:
        return _register("sampleDataSourceCategories").get(category, {}).get("title", category)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        sources = _register("sampleDataSources")
        return sources if category is None else sources.get(category, [])

    @staticmethod
    def isSampleDataSourceRegistered(category: str, sampleDataSource: SampleDataSource) -> bool:
        return sampleDataSource in _register("sampleDataSources").get(category, [])

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        sources = (source for sources in _register("sampleDataSources").values() for source in sources)
        return next((source for source in sources if source.sampleName == sampleName), None)

    def downloadSample(self, sampleName: str) -> Any:
        """Raises IndexError for a name that nobody registered."""
        return self.downloadSamples(sampleName)[0]

    def downloadSamples(self, sampleName: str) -> list:
        source = self.sourceForSampleName(sampleName)
        return self.downloadFromSource(source) if source is not None else []

    def downloadFromSource(self, source: SampleDataSource, maximumAttemptsCount: int = 3) -> list:
        """The loaded nodes; or, where no node has a name, the files."""
        fields = (source.uris, source.fileNames, source.nodeNames, source.checksums, source.loadFiles)
        nodes: list[Any] = []
        files: list[str] = []
        for uri, file_name, node_name, checksum, load, file_type in zip(*fields, source.loadFileTypes, strict=True):
            for _attempt in range(maximumAttemptsCount):
                try:
                    file = self.downloadFileIntoCache(uri, file_name, checksum)
                except ValueError as error:
                    self.logMessage(str(error), logging.ERROR)
                    continue
                if not node_name:
                    files.append(file)
                    break
                result = file if load is False else self.loadNode(file, node_name, file_type, source.loadFileProperties)
                if result is not None:
                    nodes.append(result)
                    break
        return nodes or files

    def downloadFileIntoCache(self, uri: str, name: str, checksum: str | None = None) -> str:
        """The file, downloaded unless it is there already. Raises ValueError when that fails.

        As in Slicer the path of a file with a wrong checksum is returned, but there is no file.
        """
        file = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / name
        algorithm, digest = slicer.util.extractAlgoAndDigest(checksum)

        def is_right() -> bool:
            return algorithm is None or slicer.util.computeChecksum(algorithm, str(file)) == digest

        if not file.is_file() or not file.stat().st_size or not is_right():
            try:
                urllib.request.urlretrieve(uri, file)
            except OSError as error:
                raise ValueError(f"{uri}: {error}") from error
            if not is_right():
                self.logMessage(f"{name}: its checksum is not {checksum}", logging.ERROR)
                file.unlink()
        return str(file)

    def loadNode(
        self, uri: str, name: str, fileType: str | None = None, fileProperties: dict[str, Any] | None = None
    ) -> Any:
        properties = {**(fileProperties or {}), "fileName": uri, "name": name}
        nodes = vtk.vtkCollection()
        manager = slicer.app.coreIOManager()
        if not manager.loadNodes(fileType or manager.fileType(uri), properties, nodes):
            return None
        node = nodes.GetItemAsObject(0)
        storage = node.GetStorageNode()
        if storage is not None:  # the scene must not refer to the cache
            slicer.mrmlScene.RemoveNode(storage)
            node.SetAndObserveStorageNodeID(None)
        return node


def _register(name: str) -> dict[str, Any]:
    return vars(slicer.modules).setdefault(name, {})
