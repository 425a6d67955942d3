"""Which folders are patients: names that tell whose images they hold, not what they are."""

from __future__ import annotations

import pytest

from tumorscope.cohort.patient_folders import patient_of


def people(*places: str) -> set[str]:
    """Return whom images at places such as ``yes/P07`` are taken to be of."""
    folders = {f"{place}/{n}.png": tuple(place.split("/")[1:]) for n, place in enumerate(places)}
    labels = {path: int(path.startswith("yes")) for path in folders}
    return set(patient_of(folders, labels)[0].values())


IDENTIFIERS = (
    "P07 p7 patient_7 Patient7 sub-01 subject_003 TCGA_CS_4941 TCGA-02-0003 HGG_012 case12 "
    "pt01 Brats18_2013_2_1 W39 a1b2c3d4 patient_anna S-4 patient2019"
)


@pytest.mark.parametrize("name", IDENTIFIERS.split())
def test_identifiers_are_patients_in_one_class_too(name: str) -> None:
    assert people(f"yes/{name}", "no/x") == {name}


COMMON = (
    "batch1 jpg unpacked axial T1 t2w axial_T2 t1c part2 site3 224x224 fold3 3T 1.5T img_2 v2 "
    "Dataset001 no_contrast images slices week4 2019-05 BraTS2018 kaggle_2020 subset1 level2"
)


@pytest.mark.parametrize("name", COMMON.split())
def test_common_words_are_not_although_both_classes_have_them(name: str) -> None:
    assert people(f"yes/{name}", f"no/{name}", "yes/jpg", "no/jpg") == set()


def test_uncommon_names_below_both_classes_are_patients() -> None:
    assert people("yes/anna", "no/anna", "yes/ben", "no/ben") == {"anna", "ben"}
    assert people("yes/anna", "no/ben") == set()
    words = ("Unknown type", "not classified yet", "suspicious")
    assert people(*(f"{side}/{word}" for side in ("yes", "no") for word in words)) == set()


def test_numbers_are_patients_where_there_are_several_and_no_years() -> None:
    assert people("yes/001", "yes/002", "no/003") == {"001", "002", "003"}
    assert people("yes/224", "no/224") == set()
    assert people("yes/2019", "no/2020", "no/2021") == set()


def test_the_outermost_patient_counts_and_spelling_does_not() -> None:
    assert people("yes/batch1/P07/scan2", "no/batch2/p07") == {"P07"}


def test_folders_that_are_none_are_returned_uncommon_ones_first() -> None:
    folders = {"a": ("batch1", "anna"), "b": ("P07", "axial"), "c": ()}
    assert patient_of(folders, {"a": 1, "b": 0, "c": 0})[1] == ("anna", "batch1")
