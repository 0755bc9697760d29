"""Benchmarks: one module each, with `run() -> Iterable[Result]`. Every figure is measured beside a reference in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured figure.

    `limit` is what `value` may not pass (in `unit`); `reference` names what `reference_value` was measured on in this same run (same unit),
    None where there is none. `limit_on_ratio` says that the limit is on value / reference_value instead, as wall times on shared cores say little.
    """

    name: str
    value: float
    unit: str
    limit: float
    reference: str | None = None
    reference_value: float | None = None
    limit_on_ratio: bool = False

    @property
    def ratio(self) -> float | None:
        """value / reference_value, or None without a reference."""
        return self.value / self.reference_value if self.reference_value else None

    @property
    def is_ok(self) -> bool:
        """Whether the limit holds. A limit on a ratio that could not be measured does not hold."""
        if self.limit_on_ratio:
            return self.ratio is not None and self.ratio <= self.limit
        return self.value <= self.limit

    def row(self) -> dict[str, object]:
        """The line that bin/bench prints, as docs/interfaces names its members."""
        ratio = self.ratio
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "limit": self.limit,
            "ok": self.is_ok,
            "reference": self.reference,
            "reference_value": None if self.reference_value is None else round(self.reference_value, 4),
            "ratio": None if ratio is None else round(ratio, 3),
        }
