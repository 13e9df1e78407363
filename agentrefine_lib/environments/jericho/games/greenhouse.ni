"The Moon Lily" by AgentRefine Suite

The Potting Shed is a room. "Twine, gloves and seed packets. A chart hangs on the wall. The door leads north to the garden."
The potting bench is a scenery supporter in the Potting Shed. The clay pot is an open container on the potting bench. The trowel and the watering can are on the potting bench.
The watering can can be full. The description of the watering can is "[if full]Full of water.[otherwise]Empty."
The chart is scenery in the Potting Shed. The description of the chart is "Three bulbs are drawn on it. Under the [lily bulb] stands: MOON LILY. Plant in soil, water well, and give it a warm night."
After examining the chart: say "Beside it someone has written: warm means the heated table!"
The basket is a fixed in place open container in the Potting Shed. The round bulb, the striped bulb, and the pointed bulb are in the basket.
The lily bulb is an object that varies.
When play begins: now the lily bulb is entry (a random number between 1 and 3) of {the round bulb, the striped bulb, the pointed bulb}.

The Garden is north of the Potting Shed. "Beds lie ready for spring. A compost heap steams in the corner next to a rain barrel. The greenhouse is east, the judge's tent is west, the shed is south."
The compost heap and the rain barrel are scenery in the Garden.
The Greenhouse is east of the Garden. "Panes white with mist, and along them a heated table. The garden is west."
The heated table is a scenery supporter in the Greenhouse.
The Tent is west of the Garden. "Rows of flowers with numbers, and one place still free. The garden is east."
The judge is a woman in the Tent. "The judge of the flower show looks at her watch." The judge wants the clay pot.
After talking to the judge: say "'One moon lily, in flower and in a pot, and I can start,' says the judge. 'There is none here yet.'"

The clay pot can be filled. The clay pot can be watered. The clay pot can be in flower.
The planted bulb is an object that varies. The planted bulb is nothing.
The description of the clay pot is "[if in flower]A moon lily stands in it, white and wide open.[otherwise if the planted bulb is not nothing]A bulb lies in its soil.[otherwise if filled]It is full of soil.[otherwise]It is empty."

Digging is an action applying to one carried thing. Understand the command "fill" as something new. Understand "fill [something preferably held]" as digging.
Check digging:
	if the noun is the clay pot:
		if the compost heap is not in the location, say "There is no soil here." instead;
		if the trowel is not carried, say "You need something to dig with." instead;
		if the clay pot is filled, say "It is full of soil already." instead;
	otherwise if the noun is the watering can:
		if the rain barrel is not in the location, say "There is no water here." instead;
		if the watering can is full, say "It is full already." instead;
	otherwise:
		say "That holds neither soil nor water." instead.
Carry out digging: if the noun is the clay pot, now the clay pot is filled; otherwise now the watering can is full.
Report digging: say "[if the noun is the clay pot]Trowel by trowel the clay pot fills with dark soil.[otherwise]You hold the watering can under until it is full."

Planting it in is an action applying to one carried thing and one thing. Understand "plant [something preferably held] in [something]" as planting it in.
Check planting something in:
	if the noun is not listed in {the round bulb, the striped bulb, the pointed bulb}, say "That will not grow." instead;
	if the second noun is not the clay pot or the clay pot is not filled, say "A bulb needs soil around it." instead;
	if the planted bulb is not nothing, say "There is a bulb in it already." instead.
Carry out planting something in: now the planted bulb is the noun; now the noun is nowhere.
Report planting something in: say "You press the bulb into the soil and cover it."
Instead of inserting something into the clay pot: say "It would only lie there. A bulb has to be planted."

Watering is an action applying to one thing. Understand "water [something]" as watering.
Check watering:
	if the watering can is not carried or the watering can is not full, say "You have no water." instead;
	if the noun is not the clay pot or the planted bulb is nothing, say "Nothing grows there." instead.
Carry out watering: now the watering can is not full; now the clay pot is watered.
Report watering: say "The soil drinks the water and turns black."

Before waiting when the clay pot is on the heated table and the clay pot is watered and the clay pot is not in flower:
	if the planted bulb is the lily bulb:
		now the clay pot is in flower;
		say "Night falls and passes. In the clay pot a moon lily has opened, white as its name.";
	otherwise:
		say "Night falls and passes. An onion! That was the wrong bulb, and the show is over.";
		end the story saying "You have failed".
After giving the clay pot to the judge:
	if the clay pot is in flower:
		say "The judge sets the lily in the free place and steps back. 'First prize,' she says.";
		end the story finally saying "You have won";
	otherwise:
		now the player carries the clay pot;
		say "'In flower, please,' says the judge and hands it back."
