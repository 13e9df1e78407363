"The Wreck of the Petrel" by AgentRefine Suite

The Beach is a room. "Your rowing boat lies half in the water. The hull of the Petrel leans on the reef to the north, a cave opens to the west, and rocks run out to the east."
The rowing boat is a fixed in place open container in the Beach.
The Deck is north of the Beach. "The planks slope, and a hatch leads down. The beach is south."
The spade is in the Deck. The description is "Rusty, but it will dig."
The Cabin is down from the Deck. "The captain's cabin, ankle-deep in water. The hatch is above you."
The locker is a fixed in place closed openable container in the Cabin. The gold compass is in the locker.
After taking the gold compass: say "The gold compass still points north as you take it."
The captain's desk is a scenery supporter in the Cabin. The knife and the chart are on the captain's desk. The description of the knife is "Short and strong, a knife for oysters."
The description of the chart is "A cross is drawn [if the silver cup is buried in the Cave]in the cave[otherwise if the silver cup is buried in the Rocks]among the rocks[otherwise]at the head of the beach[end if], and beside it: my cup."
After examining the chart: say "The ink has hardly faded."

The Cave is west of the Beach. "Dry sand and the echo of the waves. The beach is east."
The Rocks are east of the Beach. "Pools and sharp edges. The beach is west."
The oyster is in the Rocks. The oyster can be opened up. The description is "[if opened up]Two empty shells.[otherwise]A huge oyster, closed tight."
The pearl is a thing. After taking the pearl: say "The pearl fills your whole palm."

Burial relates one thing to one room. The verb to be buried in means the burial relation.
The silver cup is a thing. After taking the silver cup: say "The silver cup comes out of the sand as bright as new."
When play begins: now the silver cup is buried in entry (a random number between 1 and 3) of {the Cave, the Rocks, the Beach}.

Prying it with is an action applying to one thing and one carried thing. Understand "pry [something] with [something preferably held]" as prying it with.
Check prying something with something:
	if the second noun is not the knife, say "You need a strong blade for that." instead;
	if the noun is not the oyster, say "There is nothing to pry open." instead;
	if the oyster is opened up, say "It is open already." instead.
Carry out prying something with something: now the oyster is opened up; now the pearl is in the location.
Report prying something with something: say "The shells give way with a crack, and a pearl rolls out."

Digging with is an action applying to one carried thing. Understand "dig with [something preferably held]" as digging with.
Check digging with:
	if the noun is not the spade, say "You cannot dig with that." instead;
	if the location is the Deck or the location is the Cabin, say "There is nothing but wood." instead.
Report digging with:
	if the silver cup is buried in the location and the silver cup is nowhere:
		now the silver cup is in the location;
		say "A foot down the spade rings on metal. A silver cup!";
	otherwise:
		say "You dig a hole, and the sand slides back into it."

After inserting something into the rowing boat:
	say "You stow [the noun] in the boat.";
	if the gold compass is in the rowing boat and the pearl is in the rowing boat and the silver cup is in the rowing boat:
		say "With the three treasures on board you push off, and the tide carries you home.";
		end the story finally saying "You have won".
