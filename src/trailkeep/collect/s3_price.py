"""How many objects and bytes in, what reading them from S3 costs out."""

from dataclasses import dataclass

# Prices of S3 Standard in us-east-1, US dollars (Amazon S3 pricing, read in 2026): a guide, not a bill.
_LIST, _GET, _GB_OUT = 0.005 / 1000, 0.0004 / 1000, 0.09


@dataclass(frozen=True)
class Estimate:
    """What a backfill will take."""

    objects: int
    bytes: int
    listings: int

    @property
    def dollars(self) -> float:
        """An upper bound: as if every byte left the region."""
        return self.listings * _LIST + self.objects * _GET + self.bytes / 1e9 * _GB_OUT

    def __str__(self) -> str:
        return (
            f"{self.objects:,} objects, {self.bytes / 1e9:,.2f} GB, at most {self.dollars:,.2f} US dollars "
            "(requests, and transfer if this machine is not in the bucket's region)"
        )
