"""A report in, Markdown for one comment of a pull request out.

Names may come from a fork: they stand in code, where nothing is a link, a mention or HTML.
"""

from collections.abc import Iterable, Iterator, Sequence

from defectseg.comparison.pictures import RULE
from defectseg.comparison.report import (
    Report,
    headline,
    table_rows,
    tell_data,
    tell_gates,
    tell_notes,
    tell_pictures,
)
from defectseg.evaluation.report.wording import count

MARKER = "<!-- defectseg compare -->"  # by which the comment is found again
LIMIT = 60_000  # characters: a comment may have 65 536
SHOWN = 40  # rows of a folded table
SHOWN_METRICS = 60
LONGEST = 120  # characters of a name or a value
SPECIAL = "\\`*_{}[]<>()#+!|~&"
BROKEN = {"@": "@\u200b", "://": ":\u200b//", "www.": "www\u200b."}  # no mention, no link


def write_markdown(report: Report) -> str:
    """The whole comment: the verdict, the table, and the rest folded."""
    comparison = report.comparison
    between = f"{code(comparison.base)} → {code(comparison.head)}"
    told = (tell_pictures(comparison), tell_gates(comparison))
    lines = [
        f"**{plain(headline(comparison), 1000)}**",
        MARKER,
        "",
        " ".join([f"{between}.", *(plain(text, 1000) for text in told if text)]),
        "",
        *(f"> {plain(note, 400)}" for note in tell_notes(report)[:8]),
        "",
        *_metrics(report),
        "",
        "Gated metrics (marked ◆) decide; the others are to read. Intervals are 95 % of the paired "
        "difference, over surfaces, not over seeds: another seed is another model.",
    ]
    for section in _sections(report):
        if sum(map(len, lines)) + len(lines) + len(section) > LIMIT - 200:
            lines += ["", "The rest is too long for a comment: see the page."]
            break
        lines += ["", section]
    return "\n".join(lines) + "\n"


def plain(text: str, longest: int = LONGEST) -> str:
    """Text that stays text."""
    text = _shorten(text, longest)
    for special in SPECIAL:
        text = text.replace(special, f"\\{special}")
    for found, broken in BROKEN.items():
        text = text.replace(found, broken)
    return text


def code(text: str, longest: int = LONGEST) -> str:
    """A name as code: nothing in it is Markdown; fit for a table."""
    shown = _shorten(text, longest).replace("`", "'").replace("|", "\\|")
    return f"`{shown or ' '}`"


def _shorten(text: str, longest: int) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"


def _metrics(report: Report) -> Iterator[str]:
    yield "| metric | base | head | difference | 95 % interval | verdict | |"
    yield "|---|---:|---:|---:|---:|---|---|"
    for row in table_rows(report.comparison)[:SHOWN_METRICS]:
        gate = "◆ " if row.is_gated else ""
        cells = (row.base, row.head, row.difference, row.interval)
        bold = "**" if row.colour == "error" else ""
        verdict = f"{bold}{row.verdict}{bold}"
        yield f"| {' | '.join([gate + code(row.metric), *cells, verdict, plain(row.reason)])} |"
    hidden = len(report.comparison.judged) - SHOWN_METRICS
    if hidden > 0:
        yield f"\n… and {count(hidden, 'metric')} more, in the JSON file."


def _sections(report: Report) -> Iterator[str]:
    changes = report.changes
    yield _fold(
        f"Params that changed ({len(changes.params)})",
        ("param", "base", "head"),
        [[code(cell) for cell in row] for row in changes.params],
    )
    data = tell_data(changes)
    yield _fold(
        "Data: what changed" if data else "Data: the same tiles",
        ("what", "how many"),
        [[plain(cell, 1000) for cell in row] for row in data],
    )
    yield _fold(
        f"Code and packages that changed ({len(changes.code)})",
        ("file", "read by"),
        [[code(path), plain(", ".join(stages))] for path, stages in changes.code],
    )
    rows = [
        [
            code(change.id),
            code(change.defect_class),
            f"{change.base.verdict or '?'} → {change.head.verdict or '?'}",
            f"{change.dice[0]:.3f} → {change.dice[1]:.3f}",
        ]
        for change in report.pictures
    ]
    title = f"Pictures that changed most ({len(rows)})"
    yield _fold(title, ("picture", "class", "verdict", "Dice"), rows, RULE)


def _fold(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    body = list(rows)
    if not body:
        return f"<details><summary>{title}</summary>\n\nNothing.\n\n</details>"
    lines = [f"<details><summary>{title}</summary>", "", *([note, ""] if note else [])]
    lines += [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    lines += [f"| {' | '.join(row)} |" for row in body[:SHOWN]]
    if body[SHOWN:]:
        lines.append(f"\n… and {len(body) - SHOWN} more")
    return "\n".join([*lines, "", "</details>"])
