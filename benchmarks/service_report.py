"""All trials of the contenders in, the figures that are kept and their table out."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from service_contenders import BARE, OURS, SAME, VERDICT
from service_trials import NORMAL_TIMES

Report = dict[str, Any]
GOALS = {
    "share_of_bare": 0.95,
    "beyond_decode_and_infer_p50_ms": 3.0,
    "shed_p99_ms": 50.0,
    "seconds_to_normal": 5.0,
}
RULE = "QUEUE_FULL"  # the only refusal that an overload of our service may end in


def to_report(one: Report, two: Report) -> Report:
    """Medians, spreads and ratios; the rounds beside them."""
    knees = {name: round(rate, 2) for name, rate in one["knee"].items()}
    return {
        "one_core": {
            "setting": one["setting"],
            "ready_s": one["ready_s"],
            "most": compare_most(one["most"]),
            "quiet": one["quiet"],
            "knee_per_second": knees,
            "at_shares_of_the_knee": {
                name: {share: merge(rounds) for share, rounds in shares.items()}
                for name, shares in one["rates"].items()
            },
            "overload": one["overload"],
            "memory_mib": one["memory_mib"],
            "processes": one["processes"],
            "generator_lateness_p99_ms": spread(one["lateness_p99_ms"]),
        },
        "two_cores": {
            "setting": two["setting"],
            "ready_s": two["ready_s"],
            "most": compare_most(two["most"]),
        },
        "goals": GOALS,
        "found": check(one),
        "rounds": {"one_core": one["most"], "two_cores": two["most"]},
    }


def spread(values: Sequence[float]) -> Report:
    """Median, least and most."""
    return {
        "median": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def compare_most(most: Mapping[str, Sequence[Report]]) -> Report:
    """Pictures/s of each, and over those of the bare loop in the same round."""
    bare = [one["pictures_per_second"] for one in most[BARE]]
    return {
        name: {
            "pictures_per_second": spread(rates),
            "share_of_bare": spread([own / base for own, base in zip(rates, bare, strict=True)]),
            "cpu_ms": spread([one["cpu_ms"] for one in rounds]),
        }
        for name, rounds in most.items()
        if (rates := [one["pictures_per_second"] for one in rounds])
    }


def merge(rounds: Sequence[Report]) -> Report:
    """The rounds at one rate: the spread of each percentile, all codes together."""
    codes: dict[str, int] = {}
    for one in rounds:
        for code, count in one["codes"].items():
            codes[code] = codes.get(code, 0) + count
    good = [one["good_ms"] for one in rounds if one["good_ms"]]
    return {
        "rate": rounds[0]["rate"],
        "codes": codes,
        "good_per_second": spread([one["good_per_second"] for one in rounds]),
        "good_ms": {p: spread([one[p] for one in good]) for p in (good[0] if good else ())},
    }


def check(one: Report) -> Report:
    """What the goals ask of our service."""
    if OURS not in one["overload"]:
        return {}
    during = one["overload"][OURS]["during"]
    shares = {
        name: each["share_of_bare"]["median"] for name, each in compare_most(one["most"]).items()
    }
    peers = [share for name, share in shares.items() if name in one["knee"] and name != OURS]
    beyond = one["quiet"][OURS].get("beyond_decode_and_infer_ms") or {}
    refused = during["refused_ms"]
    return {
        "share_of_bare": shares[OURS],
        "share_of_bare_with_verdict": round(shares[OURS] / shares[VERDICT], 3),
        "over_the_best_peer": round(shares[OURS] / max(peers), 3) if peers else None,
        "over_fastapi_with_the_same_reply": (
            round(shares[OURS] / shares[SAME], 3) if SAME in shares else None
        ),
        "beyond_decode_and_infer_p50_ms": beyond.get("p50"),
        "only_200_or_queue_full_in_overload": set(during["codes"]) <= {"OK", RULE},
        "shed_p99_ms": refused["p99"] if refused else None,
        "seconds_to_normal": one["overload"][OURS]["seconds_to_normal"],
    }


def print_report(report: Report) -> None:
    for title in ("one_core", "two_cores"):
        print(f"\n{title.replace('_', ' ')}: at most")
        print(f"{'':17}{'pictures/s':>12}{'over bare':>11}{'cpu ms':>9}{'ready s':>9}")
        for name, each in report[title]["most"].items():
            ready = report[title]["ready_s"].get(name, "")
            print(
                f"{name:17}{each['pictures_per_second']['median']:>12.1f}"
                f"{each['share_of_bare']['median']:>11.3f}{each['cpu_ms']['median']:>9.1f}{ready:>9}"
            )
    one = report["one_core"]
    print("\nat a quiet rate: p50 / p95 / p99 in ms")
    for name, each in one["quiet"].items():
        print(f"{name:17}{percentiles(each['good_ms'])}")
    print("\np50 / p95 / p99 in ms of the 200s, and their share, at shares of the knee")
    for name, shares in one["at_shares_of_the_knee"].items():
        cells = [f"{share} × {tell(each)}" for share, each in shares.items()]
        print(f"{name:12}knee {one['knee_per_second'][name]:>6.1f}/s  " + "   ".join(cells))
    print(f"\n3 × the knee; normal again = p99 at most {NORMAL_TIMES} × before")
    for name, each in one["overload"].items():
        during = each["during"]
        print(
            f"{name:12}{during['codes']}, 200s {percentiles(during['good_ms'])}, refused "
            f"{percentiles(during['refused_ms'])}, normal after {each['seconds_to_normal']} s, "
            f"peak {each['peak_mib']} MiB (before: {one['memory_mib'][name]})"
        )
    print("\ngoals")
    for name, found in report["found"].items():
        print(f"{name:38}{found!s:>10}  {report['goals'].get(name, '')}")


def tell(each: Report) -> str:
    good = {p: one["median"] for p, one in each["good_ms"].items()}
    share = each["codes"].get("OK", 0) / sum(each["codes"].values())
    return f"{percentiles(good)} ({share:.0%})"


def percentiles(milliseconds: Mapping[str, float] | None) -> str:
    return " / ".join(f"{ms:.0f}" for ms in milliseconds.values()) if milliseconds else "none"
