"""The members of an object in any order: which have come is remembered, so none is missing and none comes twice.

One node for each set of properties that are still to come, 2ⁿ of them, each with one way
for each of its properties; equal nodes are one object, which the automaton keeps once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pgen.language import ir


@dataclass(frozen=True, slots=True)
class Orders:
    """Declared `members` (with whether they are required), each at most once, among any number of `extra` ones.

    `low` and `high` bound how many members there are; where there are extra ones they are 0 and `None`.
    """

    members: list[tuple[ir.Node, bool]]
    extra: ir.Node
    comma: ir.Node
    low: int
    high: int | None
    _known: dict[int, ir.Node] = field(default_factory=dict)

    def node(self) -> ir.Node:
        """The sequences of members that are not empty, with commas between them."""
        everything = (1 << len(self.members)) - 1
        forms = [
            ir.concat(member, self._more(), self._after(everything & ~(1 << i)))
            for i, (member, _) in enumerate(self.members)
        ]
        if self.extra != ir.EMPTY:
            forms.append(ir.concat(self.extra, self._more(), self._after(everything)))
        return ir.union(*forms) if self.high != 0 else ir.EMPTY

    def _more(self) -> ir.Node:
        return ir.repeat(ir.concat(self.comma, self.extra), 0, None)

    def _after(self, left: int) -> ir.Node:
        """What may follow, a comma in front, while the members in the set `left` (a bit each) have not come."""
        if left not in self._known:
            n_done = len(self.members) - left.bit_count()
            among = [(i, member) for i, (member, _) in enumerate(self.members) if left >> i & 1]
            missing = any(self.members[i][1] for i, _ in among) or n_done < self.low
            forms = [] if missing else [ir.EPSILON]
            if self.high is None or n_done < self.high:
                forms += [
                    ir.concat(self.comma, member, self._more(), self._after(left & ~(1 << i))) for i, member in among
                ]
            self._known[left] = ir.union(*forms)
        return self._known[left]
