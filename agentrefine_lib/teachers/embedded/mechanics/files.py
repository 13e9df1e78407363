"""Files: records of fields in folders; they have to be found, by name or by a field, and put in order."""

import random
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, load_words

OPERATIONS = {"field": "set", "in": "move", "called": "rename", "gone": "delete"}  # aim → what does it


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        words = load_words("mechanics/files")
        kinds = variant.sample(sorted(OPERATIONS), variant.choice((1, 2, 2, 3)))
        form, folder = variant.choice(words["names"]), variant.choice(words["folders"])
        self.folders = [folder.format(name) for name in names.draw("folders", rng.randint(2, 4), "bare")]
        drawn = [name.split(".")[0].replace(" ", "-") for name in names.draw("things", 9)]
        self.title, *files = dict.fromkeys(form.format(name) for name in drawn)
        self.files = files[: rng.randint(len(kinds) + 1, 6)]
        self.values = {field: words["fields"][field] for field in rng.sample(sorted(words["fields"]), 2)}
        key = rng.choice(sorted(words["keys"]))  # it tells records apart, and never changes
        self.fields = {}
        for file, value in zip(self.files, names.draw(words["keys"][key], len(self.files)), strict=True):
            self.fields[file] = {"name": file, "folder": rng.choice(self.folders), key: value}
            self.fields[file] |= {field: rng.choice(values) for field, values in self.values.items()}
        self.clues: dict[str, tuple[str, str]] = {}  # "the record whose owner is Asha" → the field and its value
        self.meant: dict[Fact, str] = {}  # aim → the record
        for kind, (file, fields) in zip(kinds, rng.sample(list(self.fields.items()), len(kinds)), strict=True):
            who, by = rng.choice([(file, "name"), (f"the record whose {key} is {fields[key]}", key)])
            self.clues[who] = (by, fields[by])
            fields["folder"], folder = rng.sample(self.folders, 2)
            field = rng.choice(list(self.values))
            fields[field], value = rng.sample(self.values[field], 2)
            wish = {"in": (folder,), "called": (self.title,), "field": (field, value), "gone": ()}[kind]
            self.meant[kind, who, *wish] = file
        self.aims, self.seen, self.open = list(self.meant), {self.title}, ""
        self.unused, self.rules = () if "called" in kinds else ("rename",), [("listing",), ("reading",)]

    def names(self, slot: str) -> list[str]:
        values = sorted(set().union(*self.values.values()))
        named = {"folder": self.folders, "field": list(self.values), "value": values, "title": [self.title]}
        return named.get(slot) or self.files + ([] if self.unused else [self.title])

    def scene(self) -> list[Fact]:
        inside = (fact for folder in self.folders if folder in self.seen for fact in self._contents(folder))
        return [*(("folder", folder) for folder in self.folders), *inside]

    def _contents(self, folder: str) -> list[Fact]:
        files = [file for file, fields in self.fields.items() if fields["folder"] == folder]
        return [("in", file, folder) for file in files] or [("bare", folder)]

    def faults(self, command: Command) -> Iterator[object]:
        operation, first, *rest = command
        if operation == "list":
            yield first in self.seen and Refusal("no_effect", ("list_already", first))
            return
        file = self.open if operation == "set" else first
        fields = self.fields.get(file, {})
        yield not file and Refusal("place", ("none_open",))
        absent = file not in self.seen or not fields
        yield absent and Refusal("absent", ("unlisted" if fields else "no_record", file))
        unfit = operation == "set" and rest[0] not in self.values[first]
        yield unfit and Refusal("precondition", ("no_value", *rest, first))
        same = {"read": self.open == file, "move": fields["folder"] in rest, "set": fields.get(first) in rest}
        told = (f"{operation}_already", *dict.fromkeys((file, first, *rest)))
        yield same.get(operation) and Refusal("no_effect", told)
        meant = [meant for aim, meant in self.meant.items() if OPERATIONS[aim[0]] == operation]
        barred = operation in ("rename", "delete") and file not in meant
        yield barred and Refusal("precondition", (f"no_{operation}", file), seen=False)

    def act(self, command: Command) -> list[Fact]:
        operation, first, *rest = command
        if operation == "list":
            self.seen |= {first, *(file for file, fields in self.fields.items() if fields["folder"] == first)}
            return self._contents(first)
        if operation == "read":
            self.open = first
            return [("open", first), *(("has", v, k, first) for k, v in [*self.fields[first].items()][2:])]
        if operation in ("set", "move"):
            file, field = (self.open, first) if operation == "set" else (first, "folder")
            self.fields[file][field] = rest[0]
            return [("changed", rest[0], field, file)]
        self.fields |= dict.fromkeys(rest, self.fields.pop(first))
        return [("renamed", first, *rest) if rest else ("deleted", first)]

    def holds(self, aim: Fact) -> bool:
        fields = self.fields.get(self.meant[aim])
        return fields is None or fields[aim[2] if aim[0] == "field" else "folder"] == aim[-1]

    def layout(self) -> dict[str, Any]:
        return {"records": self.fields}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims, self.clues)


class Expert(mechanic.Expert):
    """Lists folders, reads records where a field tells which one is meant, and then acts."""

    def __init__(self, aims: list[Fact], clues: dict[str, tuple[str, str]]) -> None:
        self.aims, self.clues = aims, clues
        self.folders, self.listed, self.open = list[str](), list[str](), ""
        self.fields: dict[str, dict[str, str]] = {}  # as far as they were told

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("folder", folder):
                self.folders.append(folder)
            case ("in" | "bare", *file, folder):
                self.listed.append(folder)
                self.fields |= {name: self.fields.get(name, {}) | {"name": name, "folder": folder} for name in file}
            case ("open", file):
                self.open = file
            case ("has" | "changed", value, field, file):
                self.fields[file][field] = value
            case ("renamed" | "deleted", file, *title):
                self.aims = [aim for aim in self.aims if aim[0] != ("called" if title else "gone")]
                self.fields |= dict.fromkeys(title, self.fields.pop(file))

    def next(self) -> Step:
        for aim in self.aims:
            kind, who, *wish = aim
            key, value = self.clues[who]
            file = next((file for file, fields in self.fields.items() if fields.get(key) == value), "")
            fields = self.fields.get(file, {})
            if not file:
                return self._search(who, key, value)
            if wish and fields.get(wish[0] if kind == "field" else "folder") == wish[-1]:
                continue
            known: Fact = ("in", file, fields["folder"]) if key == "name" else ("is_meant", file, who)
            if kind != "field":
                return Step((OPERATIONS[kind], file, *wish), ("aim", *aim), known, None, None, who)
            if self.open != file:
                return Step(("read", file), ("must_open", file), known, ("not_open", file), ("set", *wish), who)
            return Step(("set", *wish), ("aim", *aim), ("field", file, wish[0], fields[wish[0]]), None, None, who)
        raise ValueError("the goal is reached: there is no next step")

    def _search(self, who: str, key: str, value: str) -> Step:
        read = [file for file, fields in self.fields.items() if key in fields]
        for file in self.fields:
            if file not in read:
                fact: Fact | None = ("field", read[-1], key, self.fields[read[-1]][key]) if read else None
                return Step(("read", file), ("may_have", file, key, value), fact, ("unknown", who), None, who, True)
        folder = next(folder for folder in self.folders if folder not in self.listed)
        lack: Fact = ("not_in", who, self.listed[-1]) if self.listed else ("unknown", who)
        return Step(("list", folder), ("unseen", folder), None, lack, None, who, True)
