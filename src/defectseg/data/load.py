"""A source in, a folder of checked tiles with its manifest and report out; or one message.

Everything is written beside the folder and takes its place as a whole, or not at all. Data that are
refused leave a report of their own in `rejected`, so that a person can look at what is wrong.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from defectseg.data.faults import Fault, FaultKind, list_sections, raise_sections
from defectseg.data.layouts.find import find_layout
from defectseg.data.layouts.layout import Layout, LayoutName
from defectseg.data.loading import Loaded, TileParams, load_layout
from defectseg.data.notes import PICTURES
from defectseg.data.quality.agreement import measure_agreement
from defectseg.data.quality.duplicates import find_duplicates
from defectseg.data.quality.findings import CheckParams, Facts, Finding, LeftOut
from defectseg.data.quality.quality import run_checks, write_quality
from defectseg.data.quality.report import write_report
from defectseg.data.sources.source import SourceParams, check_digest, content_digest, open_source
from defectseg.data.staging import explain_full_disk, stage_beside, swap_in
from defectseg.data.tile import TileSet, count_classes
from defectseg.errors import SHOWN, OffendersError
from defectseg.files import write_csv, write_json

PAGE = "index.html"
QUARANTINE = "quarantine.csv"  # beside the page of data that were refused


class LoadParams(SourceParams, TileParams):
    """params.yaml: data_load."""

    layout: LayoutName | Literal["auto"]
    checks: CheckParams


@dataclass(frozen=True)
class Places:
    """Where data_load writes."""

    tiles: Path  # a folder: images/, masks/, manifest.csv, classes.json
    report: Path  # a folder: index.html
    quarantine: Path  # CSV: file, check, reason
    summary: Path  # JSON: what was loaded
    quality: Path  # JSON: what was found
    rejected: Path  # a folder: index.html and quarantine.csv of data that were refused

    @classmethod
    def under(cls, folder: Path) -> Self:
        """All of them in one folder."""
        return cls(
            tiles=folder / "tiles",
            report=folder / "report",
            quarantine=folder / "quarantine.csv",
            summary=folder / "data_load.json",
            quality=folder / "data_quality.json",
            rejected=folder / "rejected",
        )


@dataclass(frozen=True)
class Checked:
    """The tiles of a source, and all that was found."""

    tile_set: TileSet
    facts: Facts
    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]
    summary: dict[str, Any]
    sections: tuple[OffendersError, ...]  # why the data are refused; empty: they are not


def load_tiles(params: LoadParams, places: Places) -> Checked:
    """Fill the folder of tiles from a source and report on it; all changes or nothing does.

    Raises:
        DataError: The source, its layout or some of its files are wrong, a check whose severity
            is error has found something, or the disk is full.
    """
    with stage_beside(places.tiles) as stage:
        checked = check_source(params, stage)
        if checked.sections:
            write_pages(places.rejected, places.rejected / QUARANTINE, checked)
            raise_sections(checked.sections, f"Look at {places.rejected / PAGE}")
        with swap_in(checked.tile_set.folder, places.tiles, stage):
            checked = replace(checked, tile_set=replace(checked.tile_set, folder=places.tiles))
            write_json(places.summary, checked.summary)
            write_quality(places.quality, checked.facts, checked.findings, checked.left_out)
            write_pages(places.report, places.quarantine, checked)
    if places.rejected.exists():
        shutil.rmtree(places.rejected)  # of an earlier run: what it shows has been mended
    return checked


def check_source(params: LoadParams, work: Path) -> Checked:
    """Load a source into `work / "tiles"` and run every check on it.

    Raises:
        DataError: There is nothing to check: the source cannot be opened, has no known layout or no
            usable picture, the params do not fit it, or the disk is full.
    """
    source = open_source(params, work / "source")
    layout = find_layout(source.folder, params.layout)
    notes = [path for path in [layout.root / PICTURES] if path.is_file()]
    digest = content_digest(layout.root, [*layout.files, *notes])
    check_digest(digest, params.digest)
    needed = sum(path.stat().st_size for path in layout.files)
    with explain_full_disk(work, needed):
        loaded = load_layout(params, layout, work / "tiles")
        facts = _gather_facts(params, loaded)
    findings = run_checks(facts, params.checks)
    summary = {"source": source.kind, "layout": layout.name, "digest": digest}
    return Checked(
        tile_set=loaded.tile_set,
        facts=facts,
        findings=(*_find_faults(loaded.faults, params.checks), *findings),
        left_out=tuple(
            LeftOut(fault.file, fault.kind.check, fault.detail or fault.kind.what)
            for fault in loaded.faults
        ),
        summary=summary | _summarise(loaded, layout),
        sections=tuple(_list_errors(loaded.faults, findings, params.checks)),
    )


def write_pages(report: Path, quarantine: Path, checked: Checked) -> None:
    """Write the page that a person looks at, and the list of what was left out."""
    rows = [astuple(each) for each in checked.left_out]
    write_csv(quarantine, [field.name for field in fields(LeftOut)], rows)
    write_report(report / PAGE, checked.facts, checked.findings, checked.tile_set, checked.left_out)


def _gather_facts(params: LoadParams, loaded: Loaded) -> Facts:
    tile_set, siblings = loaded.tile_set, loaded.surfaces.siblings
    is_measured = params.surfaces.source == "pixels"
    return Facts(
        tiles=tile_set.tiles,
        classes=tile_set.classes,
        measures=loaded.measures,
        agreement=measure_agreement(tile_set, siblings, params.checks),
        surface_source=params.surfaces.source,
        similarity=params.surfaces.similarity if is_measured else None,
        nearest=loaded.surfaces.nearest,
        duplicates=find_duplicates(tile_set, loaded.measures, siblings, params.checks),
        grey_masks=loaded.labelling.greys,
        largest_16_bit=loaded.largest_16_bit,
        bit_depth=params.bit_depth,
        unused_labels=loaded.labelling.class_map.unused,
    )


def _find_faults(faults: Sequence[Fault], params: CheckParams) -> list[Finding]:
    """Findings of the faults of single files, with the severity that params give their kind."""
    findings = []
    for kind in FaultKind:
        found = [fault for fault in faults if fault.kind is kind]
        severity = params.severity(kind.check)
        if found and severity != "off":
            what = kind.what[0].upper() + kind.what[1:]
            summary = f"{what}: {len(found)}, left out. {kind.advice}"
            files = tuple(fault.file for fault in found)
            details = tuple(fault.detail for fault in found)
            findings.append(Finding(kind.check, severity, summary, files, details))
    return findings


def _list_errors(
    faults: Sequence[Fault], findings: Sequence[Finding], params: CheckParams
) -> list[OffendersError]:
    """Why the data are refused, a paragraph for each fault or finding that is an error."""
    stopping = [fault for fault in faults if params.severity(fault.kind.check) == "error"]
    sections = list_sections(stopping)
    for finding in findings:
        if finding.severity == "error":
            advice = f"data_load.checks.{finding.check} says that this is an error."
            sections.append(OffendersError(finding.summary, finding.pictures, advice))
    return sections


def _summarise(loaded: Loaded, layout: Layout) -> dict[str, Any]:
    """What was loaded: the same on every machine for the same source and params."""
    tiles = loaded.tile_set.tiles
    left_out = Counter(fault.kind.check for fault in loaded.faults)
    return {
        "pictures": len(tiles),
        "surfaces": len({tile.surface for tile in tiles}),
        "classes": count_classes(tiles, loaded.tile_set.classes),
        "left_out": dict(sorted(left_out.items())),
        "re_encoded": loaded.reencoded,
        "ignored": {"pictures": len(layout.ignored), "first": list(layout.ignored[:SHOWN])},
    }
