"""The record of what decides a score: read back as data, compared field by field, told in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.common.errors import InputError
from tumorscope.networks.imagenet import IMAGENET, WeightsError
from tumorscope.networks.weights import record_of
from tumorscope.recipes.origin import Weights, parse_weights
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.fold_protocol import parse_older
from tumorscope.records.protocol import Cohort, Protocol, parse_protocol, write_protocol

SHA = "ab" * 32


def row(number: int, **changes: object) -> Row:
    made = Row(path=f"{number}.png", sha256=f"{number:064x}", label=number % 2, group=f"g{number}")
    return replace(made, **changes)


def cohort(*rows: Row) -> Cohort:
    return Cohort.of(Manifest(rows or tuple(row(number) for number in range(6)), Path()))


def protocol(**changes: object) -> Protocol:
    made = Protocol(
        recipe=Recipe.load("reference"),
        weights=(Weights(kind="file", name="a.h5", digest=SHA),),
        data=cohort(),
        folds=2,
        repeats=1,
        hold_out=(("a", "b"), ("c",)),
        versions={"keras": "3.12.0"},
    )
    return made.model_copy(update=changes)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_protocol(tmp_path / "p.json", protocol())
    back = parse_protocol((tmp_path / "p.json").read_text("utf-8"), origin="p.json")
    assert back == protocol()
    assert back.key == protocol().key
    assert back.changes(protocol()) == []


def test_masks_decide_where_places_are_learnt_from_them_and_nowhere_else(tmp_path: Path) -> None:
    rows = [row(number, mask=f"{number}.png" * (number % 2)) for number in range(4)]
    manifest = Manifest(tuple(rows), tmp_path)
    plain = Cohort.of(manifest)
    assert plain == Cohort.of(manifest.having(replace(each, mask="") for each in rows))
    with pytest.raises(
        InputError, match=r"2 masks of the manifest cannot be found: 1\.png, 3\.png"
    ):
        Cohort.of(manifest, masks=True)
    for name in ("1.png", "3.png"):
        (tmp_path / name).write_bytes(name.encode())
    first = Cohort.of(manifest, masks=True)
    assert plain.masks == ""
    assert first.model_copy(update={"masks": ""}) == plain
    assert Cohort.of(manifest.having(rows[:1]), masks=True).masks == ""
    (tmp_path / "3.png").write_bytes(b"another")
    second = Cohort.of(manifest, masks=True)
    assert first.changes(second) == ["masks: where the lesions are is not the same"]
    keys = {protocol(data=each).key for each in (plain, first, second)}
    assert len(keys) == 3


def test_names_and_versions_decide_nothing() -> None:
    named = Recipe.load("reference").model_copy(update={"name": "b", "description": "c"})
    other = protocol(recipe=named, versions={}, weights=(Weights(kind="file", digest=SHA),))
    assert protocol().changes(other) == []
    assert protocol().key == other.key


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "random"}, "split: group then, random now"),
        ({"folds": 3}, "folds: 2 then, 3 now"),
        ({"hold_out": ()}, "hold_out: ['a', 'b'], ['c'] then, none now"),
        ({"search": {"seed": 1}}, "search.seed: none then, 1 now"),
        (
            {"weights": (Weights(kind="none"),)},
            "starting weights: a.h5 (abababababab…) then, none (random) now",
        ),
        (
            {"recipe": Recipe.load("reference").model_copy(update={"seed": 4})},
            "recipe.seed: 0 then, 4 now",
        ),
        (
            {"data": cohort(row(1), row(2))},
            "images: 6 (3 with tumour) then, 2 (1 with tumour) now",
        ),
        (
            {"data": cohort(*(row(number, sha256=f"{number + 9:064x}") for number in range(6)))},
            "images or labels: 6 (3 with tumour) each, but not the same",
        ),
        (
            {"data": cohort(*(row(number, group=f"g{number // 2}") for number in range(6)))},
            "groups: which images belong together is not the same",
        ),
        (
            {"data": cohort(*(row(number, split="testing") for number in range(6)))},
            "splits: how images are split is not the same",
        ),
    ],
)
def test_what_differs_is_told(changes: dict[str, object], said: str) -> None:
    assert said in protocol().changes(protocol(**changes))
    assert protocol().key != protocol(**changes).key


def test_what_groups_are_called_and_where_images_lie_decides_nothing() -> None:
    moved = [row(number, group=f"patient {number}", path=f"x/{number}.png") for number in range(6)]
    assert cohort().changes(cohort(*reversed(moved))) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"recipe": {}}', '{"weights": "imagenet"}'])
def test_a_damaged_record_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"p\.json does not say what"):
        parse_protocol(text, origin="p.json")


def older(
    *, weights: str = f"a.h5 (sha256 {SHA})", method: str = "", data: str = cohort().sha256
) -> str:
    """What versions before the record wrote."""
    return (
        f"{Recipe.load('reference').to_toml()}\nweights = {weights}\nfolds = 2\nrepeats = 1\n"
        f"split = group\nhold out = b,a\nhold out = c\ndata = {data}\n"
        + (f"method = {method}\n" if method else "")
    )


def test_the_text_of_older_versions_says_the_same() -> None:
    read = parse_older(older(), origin="protocol.txt")
    assert read.changes(protocol()) == []
    assert protocol().changes(read) == []
    assert protocol(data=cohort(row(1))).changes(read) == [
        "images, labels, groups or splits: not the same"
    ]


def test_older_folds_of_a_comparison_had_their_weights_in_the_method() -> None:
    method = f"inception_v3-densenet201 from imagenet; d.h5 (sha256 {SHA})"
    read = parse_older(older(weights="weights/", method=method), origin="protocol.txt")
    assert read.method == "inception_v3-densenet201"
    assert read.weights[0].digest == IMAGENET["inception_v3"][1]
    assert read.weights[1] == Weights(kind="file", name="d.h5", digest=SHA)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "weights = none\nsplit = random\ndata = 0\n",
        older().replace("split = group", "split = grouped"),
        older().replace("hold out = c", "hold out: c"),
        older() + "more = 1\n",
        older(weights="somewhere"),
        older(data="0"),
        older().replace("seed = 0", "seed = x"),
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_older(text, origin="protocol.txt")


def test_sentences_on_weights_are_read_strictly() -> None:
    assert parse_weights("none (random)") == parse_weights("none") == Weights(kind="none")
    ours = f"mri (reference@0123456789ab, sha256 {SHA})"
    assert parse_weights(ours) == Weights(kind="mri", name="reference@0123456789ab", digest=SHA)
    # A file may be called as it likes.
    odd = f"mri (mine).h5 (sha256 {SHA})"
    assert parse_weights(odd) == Weights(kind="file", name="mri (mine).h5", digest=SHA)
    for wrong in ("", "a.h5", "a.h5 (sha256 12)", "mri"):
        with pytest.raises(InputError, match="recorded as"):
            parse_weights(wrong)


def test_keras_own_file_is_imagenet_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    (tmp_path / "mine.h5").write_bytes(b"weights")
    for how in ("md5", "sha256"):
        digest = hashlib.new(how, b"weights").hexdigest()
        monkeypatch.setitem(IMAGENET, "vgg16", ("vgg16.h5", digest))
        given = record_of("vgg16", tmp_path / "mine.h5")
        assert given.key == record_of("vgg16", "imagenet").key == f"imagenet {digest}"
    assert record_of("resnet50", "imagenet").key != given.key
    (tmp_path / "mine.h5").write_bytes(b"other weights")
    assert record_of("vgg16", tmp_path / "mine.h5").kind == "file"
    with pytest.raises(WeightsError, match="no weights file"):
        record_of("vgg16", tmp_path / "gone.h5")


def test_a_run_that_noted_the_sha256_of_keras_file_is_known_by_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    from tumorscope.networks.weights import canonical

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vgg16.h5").write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    digest = hashlib.md5(b"weights").hexdigest()
    monkeypatch.setitem(IMAGENET, "vgg16", ("vgg16.h5", digest))
    noted = Weights(kind="file", name="vgg16.h5", digest=hashlib.sha256(b"weights").hexdigest())
    assert canonical(noted, "vgg16").key == record_of("vgg16", "imagenet").key
    assert canonical(noted.model_copy(update={"digest": SHA}), "vgg16").kind == "file"
