"""Lines of several syslog sources in, the lines of each source out: all keep their order and their numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.source import Source
from trailkeep.normalize.records import Chunk


def family(sources: Iterable[Source]) -> list[Source]:
    """The sources that may share a file, in the order in which they are asked for a line."""
    return sorted((source for source in sources if source.syslog), key=lambda source: source.recognise.last)


def split(chunks: Sequence[Chunk], sources: Sequence[Source], rest: Source) -> dict[str, list[Chunk]]:
    """The chunks of each source that has any of the lines; `rest` has those that are of none, too."""
    found: dict[str, list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        owners = _owners(chunk.raw, sources, sources.index(rest))
        for index, source in enumerate(sources):
            own = pc.equal(owners, index)
            if pc.any(own).as_py():
                found[source.name].append(Chunk(chunk.raw.filter(own), chunk.numbers.filter(own), chunk.raw_format))
    return dict(sorted(found.items(), key=lambda item: item[0] != rest.name))


def _owners(lines: pa.StringArray, sources: Sequence[Source], rest: int) -> pa.Int32Array:
    """For each line, which source it is of: the first whose pattern it matches."""
    owners = pa.repeat(pa.scalar(rest, pa.int32()), len(lines))
    left = pa.repeat(True, len(lines))
    for index, source in enumerate(sources):
        matching = pc.match_substring_regex(lines.filter(left), source.whole_line)
        mask = pc.replace_with_mask(left, left, matching)
        owners = pc.if_else(pc.and_(left, mask), index, owners)
        left = pc.and_(left, pc.invert(mask))
        if not pc.any(left).as_py():
            break
    return owners
