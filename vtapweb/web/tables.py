"""Table pages: what stands in the query string (search, filters, sorting, page), and what a cell shows. The address is the whole state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from django.http import QueryDict

PAGE_SIZES = (50, 100, 250, 500)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `tone` "", "flow", "warn", "bad", "stale" makes it a badge with its glyph; `more` are further texts behind the first ("+2")."""

    text: str = ""
    href: str = ""
    tone: str = ""
    glyph: str = ""
    title: str = ""
    at: datetime | None = None
    is_number: bool = False
    is_ghost: bool = False
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; `sort` is the name that stands in the address, "" where a column cannot sort."""

    name: str
    label: str
    sort: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class TableQuery:
    """The state of a table page as its address tells it. Unknown parameters are ignored, unusable values count as absent."""

    filters: Mapping[str, str] = field(default_factory=dict)  # only those that were given
    sort: str = ""
    is_descending: bool = False
    page: int = 1
    page_size: int = PAGE_SIZES[1]

    @classmethod
    def parse(cls, query: QueryDict, *, filters: tuple[str, ...], sorts: tuple[str, ...]) -> "TableQuery":
        """`sorts`: the names that may follow `sort=` (with "-" before them for descending)."""
        given = {name: value for name in filters if (value := query.get(name, "").strip())}
        sort = query.get("sort", "")
        name = sort.removeprefix("-")
        size = query.get("size", "")
        page = query.get("page", "")
        return cls(
            given,
            name if name in sorts else "",
            sort.startswith("-"),
            max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
            int(size) if size in {str(one) for one in PAGE_SIZES} else PAGE_SIZES[1],
        )

    def address(self, **changes: str | int | None) -> str:
        """This state's query string with some parameters changed (None or "" removes one); a change of anything but the page starts at page 1."""
        now: dict[str, str | int | None] = dict(self.filters)
        now["sort"] = f"-{self.sort}" if self.sort and self.is_descending else self.sort
        now["size"] = self.page_size if self.page_size != PAGE_SIZES[1] else None
        if set(changes) <= {"page"}:
            now["page"] = self.page if self.page > 1 else None
        now.update(changes)
        return "?" + urlencode({name: value for name, value in now.items() if value not in (None, "")})

    def sort_address(self, sort: str) -> str:
        """The address that sorts by a column: again for the other direction."""
        return self.address(sort=f"-{sort}" if self.sort == sort and not self.is_descending else sort)
