"""Crafting: recipes told as rules, places to gather at, stations to work at, and people who buy and sell."""

import random
from collections.abc import Iterator
from typing import Any

from agentrefine_lib.teachers.embedded import mechanic
from agentrefine_lib.teachers.embedded.mechanic import Command, Fact, Refusal, Rule, Step
from agentrefine_lib.teachers.embedded.names import Names

OFFERS = {"gather": "source", "buy": "sells", "sell": "pays"}  # operation → the fact that allows it
Recipes = dict[str, tuple[list[str], str]]  # thing → what goes into it, and the station


def purse(coins: int) -> str:
    return f"{coins or 'no'} coin{'s' * (coins != 1)}"


def count(purse: str) -> int:
    return int(purse.split()[0].replace("no", "0"))


class World(mechanic.World):
    def __init__(self, rng: random.Random, variant: random.Random, names: Names) -> None:
        trades, deep = variant.random() < 0.6, variant.random() < 0.6
        raw = names.draw("materials", rng.randint(4, 6))
        self.stations = names.draw("stations", rng.randint(2, 3), "bare")
        self.places, made = names.draw("rooms", rng.randint(1, 3), "bare"), names.draw("wares", rng.randint(2, 4))
        self.recipes: Recipes = {}
        for index, thing in enumerate(made):
            parts = rng.sample(made[:index], 1) if index and (deep or rng.random() < 0.3) else []
            self.recipes[thing] = ([*parts, *rng.sample(raw, 1 if parts else 2)], rng.choice(self.stations))
        unused = [thing for thing in made if all(thing not in parts for parts, _ in self.recipes.values())]
        self.aims = [("own", thing) for thing in unused[: -1 - rng.choice((1, 2)) : -1]]
        self.people, self.coins = names.draw("people", rng.randint(1, 2)) if trades else [], rng.randint(0, 2)
        dear = rng.choice([part for part in self.recipes[made[-1]][0] if part in raw]) if trades else ""
        rest = [thing for thing in raw if thing != dear]
        self.offers: list[Fact] = sorted(("source", thing, rng.choice(self.places)) for thing in rest)
        self.offers.sort(key=lambda offer: offer[2])
        if trades:
            ware = rng.choice(rest)
            if rng.random() < 0.5:  # what sells has to be made first
                (ware,), source = names.draw("wares", 1), ware
                self.recipes[ware] = ([source], rng.choice(self.stations))
            for name, thing in (("sells", dear), ("sells", rng.choice(rest)), ("pays", ware)):
                self.offers.append((name, thing, rng.choice(self.people), purse(rng.randint(2, 5))))
        self.things, self.owned = raw + list(self.recipes), set[str]()
        self.unused = () if trades else ("buy", "sell")
        self.rules: list[Fact | Rule] = [("used_up",), ("one_each",)]
        self.rules += [(f"recipe{len(parts)}", thing, *parts, at) for thing, (parts, at) in self.recipes.items()]

    def names(self, slot: str) -> list[str]:
        return {"thing": self.things, "place": self.stations + self.places, "person": self.people}[slot]

    def scene(self) -> list[Fact]:
        coins: list[Fact] = [("coins", purse(self.coins))] if self.people else []
        goods: list[Fact] = [("own", thing) for thing in self.things if thing in self.owned] or [("no_goods",)]
        return [*(("station", station) for station in self.stations), *self.offers, *coins, *goods]

    def _offer(self, operation: str, thing: str) -> Fact | None:
        return next((offer for offer in self.offers if offer[:2] == (OFFERS[operation], thing)), None)

    def faults(self, command: Command) -> Iterator[object]:
        operation, thing, *at = command
        yield operation == "sell" and thing not in self.owned and Refusal("precondition", ("lacking", thing))
        yield operation != "sell" and thing in self.owned and Refusal("no_effect", ("own_already", thing))
        if operation == "make":
            yield thing not in self.recipes and Refusal("precondition", ("no_recipe", thing))
            parts, station = self.recipes[thing]
            yield at not in ([], [station]) and Refusal("place", ("wrong_station", thing, *at))
            missing = [part for part in parts if part not in self.owned]
            yield missing and Refusal("precondition", ("no_part", missing[0], thing))
        else:
            offer = self._offer(operation, thing)
            if offer is None or at not in ([], [offer[2]]):
                yield Refusal("absent", (f"no_{operation}{'_at' if at else ''}", thing, *at))
            elif operation == "buy":
                yield count(offer[3]) > self.coins and Refusal("precondition", ("costs", thing, offer[3]))

    def act(self, command: Command) -> list[Fact]:
        operation, thing = command[:2]
        self.owned ^= {thing}
        parts = self.recipes[thing][0] if operation == "make" else []
        self.owned -= set(parts)
        offer = self._offer(operation, thing) if operation in ("buy", "sell") else None
        self.coins += (count(offer[3]) if operation == "sell" else -count(offer[3])) if offer else 0
        told: list[Fact] = [("coins", purse(self.coins))] if offer else [("used", part) for part in parts]
        return [("sold" if operation == "sell" else "got", thing), *told]

    def holds(self, aim: Fact) -> bool:
        return aim[1] in self.owned

    def layout(self) -> dict[str, Any]:
        recipes = {thing: [*parts, at] for thing, (parts, at) in self.recipes.items()}
        return {"recipes": recipes, "offers": [list(offer) for offer in self.offers]}

    def expert(self) -> mechanic.Expert:
        return Expert(self.aims, self.recipes)


class Expert(mechanic.Expert):
    """Chains back from the goal: what is missing is made of its parts, gathered, or bought, perhaps after a sale."""

    def __init__(self, aims: list[Fact], recipes: Recipes) -> None:
        self.aims, self.recipes, self.owned, self.coins = aims, recipes, set[str](), 0
        self.offers: dict[tuple[str, ...], Fact] = {}

    def saw(self, fact: Fact) -> None:
        match fact:
            case ("source" | "sells" | "pays", *_):
                self.offers[fact[:2]] = fact
            case ("coins", coins):
                self.coins = count(coins)
            case ("got", thing):
                self.owned.add(thing)
            case ("sold" | "used", thing):
                self.owned.discard(thing)

    def next(self) -> Step:
        missing = [thing for _, thing in self.aims if thing not in self.owned]
        return self._get(missing[0], ("wanted", missing[0]), None)

    def _get(self, thing: str, why: Fact, then: Command | None) -> Step:
        if thing in self.recipes:
            return self._make(thing, why, then)
        if source := self.offers.get(("source", thing)):
            return Step(("gather", thing, source[2]), why, source, ("lacking", thing), then, why[-1])
        offer = self.offers["sells", thing]
        if self.coins >= count(offer[3]):
            return Step(("buy", thing, offer[2]), why, offer, ("lacking", thing), then, why[-1])
        _, ware, person, _ = demand = next(fact for fact in self.offers.values() if fact[0] == "pays")
        earns: Fact = ("earns", ware, thing)
        if ware not in self.owned:
            return self._get(ware, earns, ("sell", ware, person))
        return Step(("sell", ware, person), earns, demand, ("costs", thing, offer[3]), ("buy", thing, offer[2]), thing)

    def _make(self, thing: str, why: Fact, then: Command | None) -> Step:
        """Get the parts, those first that take others to make or to buy, for that may use up the rest."""
        parts, station = self.recipes[thing]
        missing = [part for part in parts if part not in self.owned]
        make: Command = ("make", thing, station)
        if not missing:
            have: Fact = ("own" if len(parts) == 1 else "both", *parts)
            return Step(make, why, have, None, then, why[2] if len(why) > 2 else "")
        part = min(missing, key=lambda part: (part not in self.recipes, ("source", part) in self.offers))
        return self._get(part, ("part_of", part, thing), make if len(missing) == 1 else None)
