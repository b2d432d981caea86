"""A stage's main function in, an exit status and a message that a person can act on out."""

import sys
from collections.abc import Callable
from pathlib import Path

from defectseg.errors import DefectsegError

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; an error raised on purpose ends in one message, any other in a traceback."""
    try:
        main()
    except DefectsegError as error:
        print(f"{Path(sys.argv[0]).stem}: error: {error}", file=sys.stderr)
        raise SystemExit(FAILED) from error
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
