"""ECV: against the truth that the maps were made of, whatever has moved between them, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.ecv import Ecv, measure_ecv
from ACNetLib.t1map.t1_map import NOT_PLACED, Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle, is_myocardium
from recovery_files import BLOOD_POST_MS, COLUMNS, HEMATOCRIT, PIXEL_MM, ROWS, a_phantom, post_ms

TRUE_PERCENT = {"wall": 27.0, "muscle": 15.0, "liver": 33.0}
SPACING = (PIXEL_MM, PIXEL_MM, 10.0)
SHORT_AXIS = np.array([[0.6, 0.64, 0.48], [-0.8, 0.48, 0.36], [0.0, -0.6, 0.8]])


def maps(shift_px: tuple[float, float] = (0.0, 0.0)) -> tuple[T1Map, T1Map, tuple[Ventricle, ...]]:
    """Native map, post-contrast map that is moved, and the ventricle of three slices."""
    phantom, rng = a_phantom(), np.random.default_rng(3)
    blood = phantom.tissue == 4
    percent = np.select([phantom.tissue == 3, phantom.tissue == 1, phantom.tissue == 2], [27.0, 15.0, 33.0], 0.0)
    after = np.where(blood, BLOOD_POST_MS, post_ms(phantom.t1_ms, percent, 1750.0))
    air = phantom.tissue == 0
    stacks = []
    for t1_ms, shift in ((phantom.t1_ms, (0.0, 0.0)), (after, shift_px)):
        shown = ndimage.shift(t1_ms, shift, order=1, mode="nearest")
        noisy = shown + rng.normal(0, 15, (3, ROWS, COLUMNS))
        stacks.append(np.where(air, rng.uniform(200, 3500, noisy.shape), np.maximum(noisy, 1)))
    geometry = Geometry(SPACING, (-80.0, 35.0, 410.0), SHORT_AXIS)
    native, post = (
        t1_map_from_array(stack, geometry, name=name, post_contrast=name == "post")
        for stack, name in zip(stacks, ("native", "post"), strict=True)
    )
    inside = np.hypot(*(np.indices((ROWS, COLUMNS)) - np.array([58, 66])[:, None, None])) < 16
    labels = np.where(phantom.tissue == 3, MYOCARDIUM_LABEL, np.where(blood & inside, CAVITY_LABEL, 0)).astype(np.uint8)
    labels[(labels == MYOCARDIUM_LABEL) & (np.indices(labels.shape)[1] < 56)] = SEPTUM_LABEL
    ventricles = tuple(Ventricle(section, native.section_center(section), labels=labels) for section in range(3))
    return native, post, ventricles


def measured(native: T1Map, post: T1Map, ventricles: tuple[Ventricle, ...]) -> Ecv:
    return measure_ecv([native], [post], [ventricles], HEMATOCRIT)


@pytest.mark.parametrize("shift_px", [(0.0, 0.0), (3.0, -4.0)])
def test_ecv_is_the_true_one_wherever_the_post_contrast_map_lies(shift_px: tuple[float, float]) -> None:
    native, post, ventricles = maps(shift_px)
    ecv = measured(native, post, ventricles)
    for each in ecv.slices:
        assert each.wall == pytest.approx(27.0, abs=0.7)
        assert each.shift_mm == pytest.approx(np.hypot(*shift_px) * PIXEL_MM, abs=0.6)
    assert ecv.blood_ms == pytest.approx((1750.0, BLOOD_POST_MS), abs=8)
    assert [segment.number for segment in ecv.segments] == [*range(1, 17)]
    known = [segment.t1_ms for segment in ecv.segments if segment.pixels]
    assert len(known) > 12
    assert np.allclose(known, 27.0, atol=2.0)


def test_a_slice_without_ecv_keeps_its_level() -> None:
    native, post, ventricles = maps()
    whole = measured(native, post, ventricles)
    short = measured(native, replace(post, image=post.image[:, :, 1:]), ventricles)
    assert [each.title for each in short.slices] == ["Slice 1", "Slice 2"]
    assert [segment.pixels for segment in short.segments[:12]] == [segment.pixels for segment in whole.segments[:12]]
    assert [segment.pixels for segment in short.segments[12:]] == [0] * 4  # slice 0 is the apex


def rings() -> tuple[T1Map, T1Map, tuple[Ventricle, ...]]:
    """A slice of rings around its middle: a post-contrast map in its place is registered with no shift at all."""
    radius = np.hypot(*(np.indices((65, 65)) - 32))
    borders = [11, 13, 17, 19, 29, 31]

    def stack(values: tuple[float, ...]) -> np.ndarray:
        return np.interp(radius, borders, np.repeat(values, [1, 2, 2, 1]))[np.newaxis]

    native = t1_map_from_array(stack((1750.0, 1100.0, 700.0, 300.0)), Geometry(SPACING), name="native")
    after = t1_map_from_array(stack((420.0, 560.0, 450.0, 250.0)), Geometry(SPACING), name="post", post_contrast=True)
    labels = np.where(radius < 12, CAVITY_LABEL, np.where(radius < 18, MYOCARDIUM_LABEL, 0)).astype(np.uint8)
    return native, after, (Ventricle(0, native.section_center(0), labels=labels),)


def test_a_map_that_lies_exactly_where_the_native_one_does_is_moved_by_nothing_and_not_lost() -> None:
    ecv = measured(*rings())
    assert ecv.slices[0].shift_mm == 0.0
    assert not ecv.warnings


def test_a_registration_that_has_lost_its_way_is_said_and_moves_nothing() -> None:
    native, post, ventricles = rings()
    featureless = sitk.GetImageFromArray(np.full((1, 65, 65), 420.0, np.float32))
    featureless.CopyInformation(post.image)
    ecv = measured(native, T1Map(featureless, "post"), ventricles)
    assert ecv.slices[0].shift_mm is None
    assert ecv.warnings == ("Slice 0: the registration lost its way, the post-contrast map was left where it lies.",)


def test_the_map_lies_where_the_native_one_does_in_percent() -> None:
    native, post, ventricles = maps()
    ecv = measured(native, post, ventricles)
    (image,) = ecv.images
    assert image.GetOrigin() == native.image.GetOrigin()
    values = sitk.GetArrayFromImage(image)
    phantom = a_phantom()
    for name, expected in TRUE_PERCENT.items():
        assert np.median(values[:, phantom.of(name)]) == pytest.approx(expected, abs=0.7)
    assert np.median(values[:, phantom.of("blood")]) == pytest.approx(100 * (1 - HEMATOCRIT), abs=1)


def test_maps_that_do_not_tell_how_they_lie_have_no_segments() -> None:
    native, post, ventricles = maps()
    for t1_map in (native, post):
        t1_map.image.SetDirection(np.eye(3).ravel())
    ventricles = tuple(replace(each, center_mm=native.section_center(each.section)) for each in ventricles)
    ecv = measured(native, post, ventricles)
    assert (len(ecv.slices), ecv.segments) == (3, ())
    assert NOT_PLACED in ecv.warnings
    assert measured(*maps()).warnings == ()


def with_wall(t1_map: T1Map, ventricles: tuple[Ventricle, ...], values: np.ndarray) -> T1Map:
    """The map with other values in the wall, drawn anew for each slice."""
    array = np.array(t1_map.array)
    for each in ventricles:
        assert each.labels is not None
        wall = is_myocardium(each.labels)
        array[each.section][wall] = np.resize(values, wall.sum())
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(t1_map.image)
    return T1Map(image, t1_map.name)


def test_pixels_that_noise_puts_below_zero_count_as_zero() -> None:
    native, post, ventricles = maps()
    native, post = (with_wall(each, ventricles, np.array([1150.0])) for each in (native, post))
    scattered = with_wall(post, ventricles, np.array([1050.0, 1250.0, 1350.0]))  # of the latter two ECV is below 0
    ecv = measured(native, scattered, ventricles)
    positive = 60 * (1 / 1050 - 1 / 1150) / (1 / BLOOD_POST_MS - 1 / 1750)
    for each in ecv.slices:
        assert each.wall == pytest.approx(positive / 3, abs=0.4)
        assert each.septum == pytest.approx(positive / 3, abs=0.4)
    assert np.nanmean([segment.t1_ms for segment in ecv.segments]) == pytest.approx(positive / 3, abs=0.4)


def test_pixels_without_t1_in_one_of_the_maps_count_for_nothing() -> None:
    native, post, ventricles = maps()
    holes = with_wall(post, ventricles, np.array([float(post_ms(np.array(1150.0), np.array(27.0), 1750.0)), 0.0]))
    ecv = measured(native, holes, ventricles)
    for each in ecv.slices:
        assert each.wall == pytest.approx(27.0, abs=1.5)
    known = [segment.t1_ms for segment in ecv.segments if segment.pixels]
    assert np.allclose(known, 27.0, atol=3.0)
    whole = measured(native, post, ventricles)
    assert sum(segment.pixels for segment in ecv.segments) < 0.6 * sum(segment.pixels for segment in whole.segments)


def test_a_post_contrast_map_on_another_grid_is_taken_where_it_lies() -> None:
    native, post, ventricles = maps()
    finer = sitk.Resample(
        post.image,
        [COLUMNS * 2, ROWS * 2, 3],
        sitk.Transform(),
        sitk.sitkLinear,
        post.image.GetOrigin(),
        (PIXEL_MM / 2, PIXEL_MM / 2, 10.0),
        post.image.GetDirection(),
    )
    ecv = measured(native, T1Map(finer, "finer"), ventricles)
    assert ecv.slices[1].wall == pytest.approx(27.0, abs=0.7)


def test_what_gives_no_ecv_is_refused() -> None:
    native, post, ventricles = maps()
    with pytest.raises(ACNetError, match=r"hematocrit: found 42; expected a fraction of 0\.1 to 0\.75"):
        measure_ecv([native], [post], [ventricles], 42)
    with pytest.raises(ACNetError, match="Are both native, or the two exchanged"):
        measured(post, native, ventricles)
    with pytest.raises(ACNetError, match="native: the wall and cavity are known on no slice"):
        measured(native, post, (Ventricle(0, native.section_center(0)),))
    elsewhere = sitk.Image(post.image)
    elsewhere.SetOrigin((900.0, 0.0, 0.0))
    with pytest.raises(ACNetError, match="post: no slice lies where native shows the ventricle"):
        measured(native, T1Map(elsewhere, "post"), ventricles)


@pytest.mark.parametrize(("blood_ms", "is_taken"), [(1350.0, True), (1450.0, False), (1750.0, False)])
def test_blood_has_to_be_clearly_shorter_after_contrast(blood_ms: float, is_taken: bool) -> None:
    native, post, ventricles = maps()
    blood = np.stack([a_phantom().tissue == 4] * 3)
    image = sitk.GetImageFromArray(np.where(blood, blood_ms, post.array).astype(np.float32))
    image.CopyInformation(post.image)
    longer = T1Map(image, "post")
    if is_taken:
        assert measured(native, longer, ventricles).blood_ms[1] == pytest.approx(blood_ms, abs=5)
        return
    with pytest.raises(ACNetError, match=rf"^post: T1 of blood is {blood_ms:.0f} ms, that of native 17\d\d ms; .* 80%"):
        measured(native, longer, ventricles)


def test_maps_of_two_field_strengths_or_scanners_give_no_ecv() -> None:
    native, post, ventricles = maps()
    told = replace(native, field_strength_tesla=1.5, scanner="SIEMENS Avanto")
    for other, found in (
        (replace(post, field_strength_tesla=3.0), r"native and post: they are from 1\.5 and 3 T"),
        (replace(post, scanner="GE Signa"), r"two scanners \(SIEMENS Avanto, GE Signa\)"),
    ):
        with pytest.raises(ACNetError, match=rf"{found}.* Give the native and the post-contrast map of one exam\.$"):
            measured(told, other, ventricles)
        measured(native, other, ventricles)


def test_maps_of_two_sequences_are_warned_of() -> None:
    native, post, ventricles = maps()
    for before, after, warned in (("SASHA", "MOLLI", True), ("MOLLI", "MOLLI", False), ("MOLLI", "", False)):
        ecv = measured(replace(native, sequence=before), replace(post, sequence=after), ventricles)
        said = [warning for warning in ecv.warnings if warning.startswith("The maps are of MOLLI and SASHA, whose T1")]
        assert len(said) == warned


def single_maps(t1_map: T1Map) -> list[T1Map]:
    """Each slice as a map of its own."""
    return [T1Map(plane, f"{t1_map.name} {section}") for section, plane in enumerate(t1_map.planes)]


def test_slices_of_several_maps_are_paired_by_their_place() -> None:
    native, post, ventricles = maps((1.0, -2.0))
    stack = measured(native, post, ventricles)
    natives, posts = single_maps(native), single_maps(post)
    own = [(replace(each, section=0),) for each in ventricles]
    for exam in (
        measure_ecv(natives, [posts[2], posts[0], posts[1]], own, HEMATOCRIT),
        measure_ecv(natives, [post], own, HEMATOCRIT),
    ):
        assert [each.title for each in exam.slices] == [f"Map {number}, slice 0" for number in (1, 2, 3)]
        assert [each.wall for each in exam.slices] == pytest.approx([each.wall for each in stack.slices], abs=1e-3)
        assert exam.blood_ms == pytest.approx(stack.blood_ms)
        assert len(exam.segments) == 16
        for image, native_map in zip(exam.images, natives, strict=True):
            assert image.GetOrigin() == native_map.image.GetOrigin()
    mixed = measure_ecv([native], posts[::-1], [ventricles], HEMATOCRIT)
    assert [each.wall for each in mixed.slices] == pytest.approx([each.wall for each in stack.slices], abs=1e-3)


def test_a_slice_without_its_pair_or_its_wall_is_left_out_and_said() -> None:
    native, post, ventricles = maps()
    alone = measured(native, single_maps(post)[1], ventricles)
    assert [each.title for each in alone.slices] == ["Slice 1"]
    assert alone.warnings == tuple(
        f"Slice {number} was left out: no post-contrast slice lies there." for number in (0, 2)
    )
    (said,) = measured(native, post, ventricles[1:]).warnings
    assert said == "Slice 0 was left out: the left ventricle's wall is not known on it."


def test_a_slice_that_lies_elsewhere_or_in_another_view_is_no_pair() -> None:
    native, post, ventricles = maps()
    first = single_maps(native)[0]
    for axes, away_mm in ((SHORT_AXIS, 5.0), (SHORT_AXIS[:, [0, 2, 1]], 0.0)):
        elsewhere = sitk.Image(single_maps(post)[0].image)
        elsewhere.SetDirection(axes.ravel())
        elsewhere.SetOrigin(np.add(elsewhere.GetOrigin(), away_mm * SHORT_AXIS[:, 2]))
        with pytest.raises(ACNetError, match="no slice lies where native 0 shows the ventricle"):
            measured(first, T1Map(elsewhere, "post"), ventricles[:1])


@pytest.mark.parametrize(
    ("tilt_degrees", "away_mm", "thickness_mm"),
    [(3, 1.0, 5.0), (6, 1.0, 6.0), (8, 0.0, 5.0), (14, 0.0, 8.0), (0, 3.5, 6.0), (0, 0.8, 1.0)],
)
def test_a_slice_a_little_askew_or_away_covers_the_whole_wall_however_thin_it_is(
    tilt_degrees: float, away_mm: float, thickness_mm: float
) -> None:
    native, post, (ventricle,) = rings()
    angle = np.deg2rad(tilt_degrees)
    axes = np.array(post.image.GetDirection()).reshape(3, 3)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    askew = sitk.Image(post.image)
    askew.SetSpacing((*askew.GetSpacing()[:2], thickness_mm))
    askew.SetDirection((axes @ turn).ravel())
    middle = np.array(askew.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in askew.GetSize()]))
    wanted = native.section_center(0) + away_mm * native.normal
    askew.SetOrigin(np.array(askew.GetOrigin()) + wanted - middle)
    straight = measured(native, post, (ventricle,)).slices[0]
    ecv = measured(native, T1Map(askew, "post"), (ventricle,))
    assert ecv.slices[0].wall == pytest.approx(straight.wall, abs=0.7)
    assert ecv.slices[0].missing == 0
    assert ecv.warnings == ()


def test_a_wall_of_which_a_part_has_no_t1_after_contrast_is_said() -> None:
    native, post, (ventricle,) = rings()
    holes = post.array.copy()
    holes[0, : holes.shape[1] // 2] = 0
    half = sitk.GetImageFromArray(holes)
    half.CopyInformation(post.image)
    ecv = measured(native, T1Map(half, "post"), (ventricle,))
    assert ecv.slices[0].missing == pytest.approx(0.5, abs=0.1)
    assert re.search(r"Slice 0: \d\d% of the wall has no ECV", "".join(ecv.warnings))
