"""Slice views as the application draws them, without the application: Slicer's own drawing of slices, markups and
colour bars, on a screen that is none."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

VIEW_PIXELS = 480
MANAGERS = ("vtkMRMLMarkupsDisplayableManager", "vtkMRMLColorLegendDisplayableManager")


class DrawnView:
    """One of the slice views, such as "Red". It draws colour bars that come after it."""

    def __init__(self, name: str, width: int = VIEW_PIXELS, height: int = VIEW_PIXELS) -> None:
        application, scene = slicer.app.applicationLogic(), slicer.mrmlScene
        self._node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        self._logic = application.GetSliceLogic(self._node)
        self._logic.ResizeSliceNode(width, height)
        self._node.SetDimensions(width, height, 1)
        renderer = vtk.vtkRenderer()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.SetSize(width, height)
        self._window.AddRenderer(renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()  # markups ask it for the size of a pixel
        self._interactor.SetRenderWindow(self._window)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.Initialize(_factory(), renderer)
        self._group.SetMRMLDisplayableNode(self._node)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        layers = vtk.vtkActor2D()
        layers.SetMapper(self._mapper)
        layers.GetProperty().SetDisplayLocationToBackground()
        renderer.AddViewProp(layers)

    def picture(self) -> Image.Image:
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return Image.fromarray(np.ascontiguousarray(pixels[::-1, :, :3]))


def _factory() -> slicer.vtkMRMLSliceViewDisplayableManagerFactory:
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    for name in MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory
