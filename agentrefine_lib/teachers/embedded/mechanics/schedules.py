"""Schedules: people with free hours, told when they are asked; an hour has to be found that suits them all."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Step
from agentrefine_lib.teachers.embedded.names import Names, Nouns, load_words


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        hours = variant.choice(load_words("mechanics/schedules")["hours"])
        has_booking, has_keeper = variant.random() < 0.5, variant.random() < 0.5
        people = names.draw("people", rng.randint(4, 6))
        self.guests, others = people[: rng.randint(2, 4)], people[4:]
        self.hours = sorted(rng.sample(hours, rng.randint(4, 6)), key=hours.index)
        suits = rng.choice(self.hours)
        self.free = {guest: [h for h in self.hours if h == suits or rng.random() < 0.45] for guest in self.guests}
        unfit = [h for h in self.hours if any(h not in self.free[guest] for guest in self.guests)]
        self.booked = rng.choice(unfit) if has_booking and unfit else ""
        self.keeper: dict[str, str] = {}  # who has to be asked for somebody's hours
        if has_keeper:
            guest = rng.choice(self.guests)
            self.keeper[guest] = rng.choice([person for person in self.guests + others if person != guest])
        informed = rng.sample(self.guests + others, rng.choice((1, 1, 2)))
        self.people = rng.sample(people, len(people))
        self.meeting = names.one("meetings", "bare")
        self.aims = [("suits", self.meeting, format(Nouns(self.guests), "-"))]
        self.aims += [("knows", person, self.meeting) for person in informed]
        self.asked, self.told = set[str](), set[str]()
        self.rules = [("one_suits",), ("one_hour",)]

    def names(self, slot: str) -> list[str]:
        return self.people if slot == "person" else self.hours

    def scene(self) -> list[Fact]:
        told: list[Fact] = [("person", person) for person in self.people] + [("hour", hour) for hour in self.hours]
        return [*told, ("booked", self.booked) if self.booked else ("no_hour",)]

    def faults(self, command: Command) -> Iterator[object]:
        match command:
            case ("ask", person):
                yield person in self.asked and Refusal("no_effect", ("asked_already", person))
                known = person in self.guests or person in self.keeper.values()
                yield not known and Refusal("absent", ("no_part", person, self.meeting))
            case ("cancel",):
                yield not self.booked and Refusal("no_effect", ("no_hour",))
            case ("book", hour):
                yield self.booked == hour and Refusal("no_effect", ("booked_already", hour))
                yield self.booked and Refusal("precondition", ("booked", self.booked))
                cannot = [guest for guest in self.guests if hour not in self.free[guest]]
                seen = [guest for guest in cannot if self.keeper.get(guest, guest) in self.asked]
                yield cannot and Refusal("precondition", ("cannot", (seen or cannot)[0], hour), bool(seen))
            case ("tell", person, *hours):
                yield not self.booked and Refusal("precondition", ("no_hour",))
                yield hours not in ([], [self.booked]) and Refusal("precondition", ("not_booked", *hours))
                yield person in self.told and Refusal("no_effect", ("knows_already", person))

    def act(self, command: Command) -> list[Fact]:
        match command:
            case ("ask", person):
                self.asked.add(person)
                asked = [guest for guest in self.guests if self.keeper.get(guest, guest) == person]
                told: list[Fact] = [("free", hour, guest) for guest in asked for hour in self.free[guest]]
                return [("keeps", self.keeper[person], person), *told] if person in self.keeper else told
            case ("book", hour):
                self.booked = hour
                return [("booked", hour)]
            case ("cancel",):
                hour, self.booked, self.told = self.booked, "", set()
                return [("cancelled", hour)]
        self.told.add(command[1])
        return [("told", command[1], self.booked)]

    def holds(self, aim: Fact) -> bool:
        suits = all(self.booked in self.free[guest] for guest in self.guests)
        return suits and (aim[0] == "suits" or aim[1] in self.told)

    def layout(self) -> dict[str, Any]:
        return {"free": self.free, "asked_of": self.keeper, "hours": self.hours}

    def expert(self) -> mechanic.Expert:
        return Expert(self.guests, [aim[1] for aim in self.aims[1:]], self.meeting)


class Expert(mechanic.Expert):
    """Asks until one hour is left, frees the calendar of any other, books that hour and tells of it."""

    def __init__(self, guests: list[str], informed: list[str], meeting: str) -> None:
        self.guests, self.informed, self.meeting, self.booked = guests, informed, meeting, ""
        self.left: list[str] = []  # hours that suit all who answered
        self.free, self.keeper, self.told = dict[str, list[str]](), dict[str, str](), set[str]()

    def notice(self, facts: Iterable[Fact]) -> None:
        super().notice(facts)
        self.left = [hour for hour in dict.fromkeys(self.left) if all(hour in hours for hours in self.free.values())]

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("hour", hour):
                self.left.append(hour)
            case ("free", hour, guest):
                self.free[guest] = [*self.free.get(guest, []), hour]
            case ("keeps", keeper, guest):
                self.keeper[guest] = keeper
            case ("booked", hour):
                self.booked = hour
            case ("cancelled", _):
                self.booked, self.told = "", set()
            case ("told", person, _):
                self.told.add(person)

    def next(self) -> Step:
        unknown = [guest for guest in self.guests if guest not in self.free]
        unfit = [guest for guest, hours in self.free.items() if self.booked and self.booked not in hours]
        if unfit:
            then: Command | None = ("book", self.left[0]) if len(self.left) == 1 or not unknown else None
            cannot: Fact = ("cannot", unfit[0], self.booked)
            return Step(("cancel",), ("in_the_way", self.booked), cannot, None, then, self.meeting)
        if unknown and len(self.left) > 1:
            return self._ask(unknown[0])
        best, tell = self.booked or self.left[0], next(person for person in self.informed if person not in self.told)
        last: Command = ("tell", tell, best)
        if self.booked:
            return Step(last, ("must_know", tell, self.meeting), ("booked", self.booked), ("unaware", tell), None, tell)
        why: Fact = ("only", best) if len(self.left) == 1 else ("suits_all", best)
        guest = next(reversed(self.free))
        return Step(("book", best), why, ("free", best, guest), ("no_hour",), last, self.meeting)

    def _ask(self, guest: str) -> Step:
        keeper = self.keeper.get(guest, "")
        why: Fact = ("keeps", keeper, guest) if keeper else ("must_come", guest, self.meeting)
        fact: Fact | None = ("left", " or ".join(self.left)) if self.free and len(self.left) < 4 else None
        target = f"an hour for the {self.meeting}"
        return Step(("ask", keeper or guest), why, fact, ("unknown", guest), None, target, explores=True)
