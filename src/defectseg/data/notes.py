"""A layout in, what is known of each picture beside its mask out: its surface, and who labelled it.

The surface comes from a column of pictures.csv or from a regex over paths, where params say so.
"""

from dataclasses import replace

from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.surfaces.find import SurfaceParams
from defectseg.data.surfaces.names import PictureNotes, read_notes, surface_of
from defectseg.errors import OffendersError

PICTURES = "pictures.csv"  # in the root of the layout


def read_picture_notes(layout: Layout, params: SurfaceParams) -> dict[str, PictureNotes]:
    """The notes of every record, by its id; "" where nothing is known.

    Raises:
        DataError: pictures.csv is missing though its column is asked for, or is wrong, or some
            pictures have no surface; lists them all.
    """
    path = layout.root / PICTURES
    column = params.column if params.source == "column" else None
    rows = read_notes(path, column) if column is not None or path.is_file() else {}
    notes = {record.id: _notes_of(record, layout, rows) for record in layout.records}
    if params.source == "regex":
        notes = {
            record.id: replace(
                notes[record.id], surface=surface_of(layout.relative(record.picture), params) or ""
            )
            for record in layout.records
        }
    if params.source in {"column", "regex"}:
        _refuse_unnamed(layout, notes, params)
    return notes


def _notes_of(record: Record, layout: Layout, rows: dict[str, PictureNotes]) -> PictureNotes:
    """The row of a picture, named by its path, file name, stem or id; else what its label says."""
    picture = record.picture
    names = (layout.relative(picture), picture.name, picture.stem, record.id)
    row = next((rows[name] for name in names if name in rows), PictureNotes("", "", "", ""))
    batch = record.batch
    return PictureNotes(
        row.surface,
        row.labelled_by or batch.labelled_by,
        row.labelled_at or batch.labelled_at,
        row.label_tool or batch.label_tool,
    )


def _refuse_unnamed(layout: Layout, notes: dict[str, PictureNotes], params: SurfaceParams) -> None:
    unnamed = [
        layout.relative(record.picture) for record in layout.records if not notes[record.id].surface
    ]
    if not unnamed:
        return
    if params.source == "column":
        raise OffendersError(
            f"pictures without a row in {PICTURES}", unnamed, f"Name the {params.column} of each."
        )
    raise OffendersError(
        f"pictures in whose path {params.regex!r} finds no surface",
        unnamed,
        "Change data_load.surfaces.regex; it is searched in these paths.",
    )
