"The Lamp on Gull Point" by AgentRefine Suite

The Jetty is a room. "Wet planks lead north to the keeper's yard. A bank of fog rolls in from the sea, and the great lamp above you is dark."
The Yard is north of the Jetty. "The white tower rises to the east and the keeper's cottage stands to the west. The oil store is built into the rock to the north; the jetty lies south."
The Cottage is west of the Yard. "One tidy room with a mantelpiece. The yard is east."
The Tower is east of the Yard. "A spiral stair climbs up into the dark. The yard is west."
The Lamp Room is up from the Tower. "Windows on all sides, and in the middle a lamp as tall as you are. The stair leads down."

The sea chest, the bread bin, and the biscuit tin are closed openable containers in the Cottage. The sea chest and the bread bin are fixed in place.
The mantelpiece is a scenery supporter in the Cottage. The box of matches is on the mantelpiece.
The iron key is a thing. The description is "A heavy key, stamped STORE."
When play begins:
	let places be {the sea chest, the bread bin, the biscuit tin};
	now the iron key is in entry (a random number between 1 and 3) of places.
After taking the iron key: say "The iron key is heavy and cold in your hand."

The store door is a locked door. It is north of the Yard and south of the Oil Store. The iron key unlocks the store door.
After unlocking the store door with something: say "The lock grates, and the store door is free."
The Oil Store is a room. "Empty barrels and one shelf. The yard is south."
The shelf is a scenery supporter in the Oil Store. The oil can is on the shelf. The description of the oil can is "A long-necked can, full to the brim."
After taking the oil can: say "You lift the oil can; it gurgles, full to the brim."

The great lamp is fixed in place in the Lamp Room. The great lamp can be filled. The description is "[if filled]Its tank is full of oil. It only wants a flame.[otherwise]Its tank is dry."

Pouring it into is an action applying to one carried thing and one thing.
Understand "pour [something preferably held] into/in [something]" as pouring it into.
Check pouring something into something:
	if the noun is not the oil can, say "You cannot pour that." instead;
	if the second noun is not the great lamp, say "That would be a waste of good oil." instead;
	if the great lamp is filled, say "The tank is full already." instead.
Carry out pouring something into something: now the great lamp is filled.
Report pouring something into something: say "The oil runs down into the tank until it is full."

Lighting it with is an action applying to one thing and one carried thing.
Understand the command "light" and "burn" as something new.
Understand "light [something] with [something preferably held]" as lighting it with.
Check lighting something with something:
	if the second noun is not the box of matches, say "That gives no flame." instead;
	if the noun is not the great lamp, say "Better not set fire to that." instead;
	if the great lamp is not filled, say "The wick glows and dies: the tank is dry." instead.
Report lighting something with something:
	say "The wick catches, and a white beam sweeps over the sea. Far out, a ship's horn answers.";
	end the story finally saying "You have won".
