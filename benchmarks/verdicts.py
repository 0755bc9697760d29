"""`verdicts`: 500 NICs judged against 50 TAPs, every verdict and digest put together, against asking every rule for every pair.

30 VNets in two regions, three hubs: 500 NICs, each with tags, a load balancer now and then, some mirrored or in a broken VNet
50 TAPs, half to NICs and half to frontends, security groups with prefixes before them, permissions by group, locks, protected scopes
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks import Result

NICS, TAPS, ROUNDS = 500, 50, 5
REFERENCE_EVERY = 10  # the reference judges every tenth NIC, and its time is taken ten times


def run() -> Iterator[Result]:
    from tests.domain.tap_estates import numbered_estate
    from vtapweb.domain.tap_rules.judge import judge

    world, sources, taps = numbered_estate(NICS, TAPS)

    def ours() -> int:
        judgement = judge(world, sources, taps)
        return sum(
            judgement.verdict(nic.key, tap.key).allowed is True and bool(judgement.digest(nic.key, tap.key)) for nic in sources for tap in taps
        )

    def pair_by_pair() -> int:
        return sum(bool(judge(world, [nic], [tap]).verdict(nic.key, tap.key).allowed) for nic in sources[::REFERENCE_EVERY] for tap in taps)

    taken_s, allowed = min(_timed(ours) for _ in range(ROUNDS))
    reference_s, _ = _timed(pair_by_pair)
    if not 0 < allowed < NICS * TAPS:
        raise RuntimeError(f"an estate in which {allowed} of {NICS * TAPS} pairs are allowed measures nothing")
    result = Result(
        name=f"verdicts: {NICS} NICs x {TAPS} TAPs", value=taken_s * 1000, unit="ms", limit=300,
        reference="every rule asked for every pair", reference_value=reference_s * REFERENCE_EVERY * 1000,
    )  # fmt: skip
    yield result
    yield replace(result, name=f"{result.name}, against pair by pair", limit=0.05, limit_on_ratio=True)


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found
