"""A stage's main function in, an exit status and a message that a person can act on out.

A stage script imports this module first (`import defectseg.stage`): the guard notes the
dependencies before any other module of ours is read, and no edit falls between the two.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from defectseg.errors import DefectsegError
from defectseg.guard import Guard

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
NAME = Path(sys.argv[0]).stem
GUARD = Guard(NAME)


def run_stage(main: Callable[[], None], finish: Callable[[], None] = lambda: None) -> None:
    """Run a stage; an error raised on purpose ends in one message, any other in a traceback.

    Args:
        main: What the stage does.
        finish: What it does once its result counts: no dependency changed meanwhile.
    """
    try:
        main()
        GUARD.refuse_changes()
        finish()
    except DefectsegError as error:
        print(f"{Path(sys.argv[0]).stem}: error: {error}", file=sys.stderr)
        raise SystemExit(FAILED) from error
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
