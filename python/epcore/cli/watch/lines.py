"""Changes for people and programs, a line each."""

import json
import time
from typing import TYPE_CHECKING, Final

from epcore.cli.failure import visible
from epcore.cli.output import must_be_ascii
from epcore.cli.watch.targets import Target

if TYPE_CHECKING:
    from epcore import Change, Delta, Transition, View
    from epcore.cli.watch.selection import Selection


class Lines(Target):
    """Prints a line for each change."""

    def __init__(self, selection: "Selection", *, is_json: bool, is_live: bool) -> None:
        self._selection = selection
        self._is_json = is_json
        self._is_live = is_live

    def update(self, view: "View", delta: "Delta", moment: float) -> None:
        """Print what concerns the Services and ports that are followed."""
        del view
        groups = {"added": delta.added, "removed": delta.removed, "updated": delta.updated, "moved": delta.moved}
        chosen = {kind: [one for one in changes if self._is_followed(one)] for kind, changes in groups.items()}
        turns = [one for one in delta.transitions if self._is_followed(one)]
        if self._is_json:
            told: dict[str, object] = {kind: [one.to_dict() for one in changes] for kind, changes in chosen.items()}
            told["transitions"] = [one.to_dict() for one in turns]
            if any(told.values()):
                print(json.dumps({"time": moment, **told}, ensure_ascii=must_be_ascii()), flush=True)
            return
        when = time.strftime("%H:%M:%S", time.localtime(moment)) if self._is_live else f"{moment:8.3f}"
        text = [f"{when} {_SIGNS[kind]} {_change(one)}" for kind, changes in chosen.items() for one in changes]
        text += [f"{when} ! {_turn(one)}" for one in turns]
        if text:
            print("\n".join(map(visible, text)), flush=True)

    def _is_followed(self, one: "Change | Transition") -> bool:
        return self._selection.has_port(one.namespace, one.service, one.port_name, one.protocol)


_SIGNS: Final = {"added": "+", "removed": "-", "updated": "~", "moved": ">"}


def _change(change: "Change") -> str:
    before, after = change.slice_before, change.slice_after
    where = after or before or ""
    if before and after and before != after:
        where = f"{before} -> {after}"
    why = f" ({', '.join(change.reasons)})" if change.reasons else ""
    state = ""
    if change.after is not None:
        conditions = [
            word
            for word, is_so in (
                ("not ready", change.after.ready is False),
                ("not serving", change.after.serving is False),
                ("terminating", change.after.terminating is True),
            )
            if is_so
        ]
        state = f" {', '.join(conditions)}" if conditions else " ready"
    return f"{change.key}{state}{why}  [{where}]"


def _turn(turn: "Transition") -> str:
    port = f"{turn.namespace or ''}/{turn.service or ''} {turn.port_name} {turn.protocol}"
    if bool(turn.ready_before) != bool(turn.ready_after):
        return f"{port}: {turn.ready_after} ready now, {turn.ready_before} before"
    if bool(turn.endpoints_before) != bool(turn.endpoints_after):
        return f"{port}: {turn.endpoints_after} endpoints now, {turn.endpoints_before} before; none is ready"
    return f"{port}: topology hints are {'complete' if turn.hints_complete_after else 'no longer complete'}"
