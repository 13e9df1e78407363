"A Loaf for Marta" by AgentRefine Suite

The Shop is a room. "Marta's little shop smells of yesterday's bread, and the shelves are bare. The bakehouse is north."
The counter is a scenery supporter in the Shop. The recipe card is on the counter.
The topping is an object that varies.
When play begins: now the topping is entry (a random number between 1 and 3) of {the poppy seeds, the sesame seeds, the caraway seeds}.
The description of the recipe card is "Flour in the bowl, water from a jug upon it, knead. Sprinkle the dough with [the topping], and nothing else. Then into the oven, and wait."
After examining the recipe card: say "At the foot it says: For Marta, with love."
Marta is a woman in the Shop. "Marta leans on the counter and sighs." Marta wants the loaf.
After talking to Marta: say "'A loaf,' says Marta, 'one fresh loaf, just as the card has it, and I can open the shop.'"

The Bakehouse is north of the Shop. "A long table stands in the warm dusk, and the fire under the oven is already burning. The pantry is west, the yard is east, the shop is south."
The table is a scenery supporter in the Bakehouse. The bowl is an open container on the table. The jug is on the table. The jug can be full. The description of the jug is "[if full]It is full of water.[otherwise]It is empty."
The oven is a fixed in place open container in the Bakehouse. The description of the oven is "Hot enough for bread."

The Pantry is west of the Bakehouse. "Cool and narrow, with one long board. The bakehouse is east."
The board is a scenery supporter in the Pantry. The flour bag, the poppy seeds, the sesame seeds, and the caraway seeds are on the board.
After taking the flour bag: say "You shoulder the flour bag in a small white cloud."
The Bakery Yard is east of the Bakehouse. "A cobbled yard with a stone trough of clear water. The bakehouse is west."
The trough is scenery in the Bakery Yard. The printed name of the Bakery Yard is "Yard".

The dough is a thing. The dough can be sprinkled. The dough can be right. The description of the dough is "Smooth[if sprinkled], with seeds on top[end if]."
The loaf is a thing. The description of the loaf is "Golden and fragrant."

Filling is an action applying to one carried thing. Understand "fill [something preferably held]" as filling.
Check filling:
	if the noun is not the jug, say "That holds no water." instead;
	if the trough is not in the location, say "There is no water here." instead;
	if the jug is full, say "The jug is full already." instead.
Carry out filling: now the jug is full.
Report filling: say "You dip the jug into the trough and lift it out full."

Pouring it into is an action applying to one carried thing and one thing. Understand "pour [something preferably held] into/in [something]" as pouring it into.
Check pouring something into something:
	if the noun is not the jug or the jug is not full, say "There is nothing in it to pour." instead;
	if the second noun is not the bowl, say "Better pour it into the bowl." instead;
	if the flour bag is not in the bowl, say "Water alone makes no dough: the flour goes into the bowl first." instead.
Carry out pouring something into something:
	now the jug is not full;
	now the flour bag is nowhere;
	now the dough is in the bowl.
Report pouring something into something: say "Flour and water come together into a rough, sticky dough."

Kneading is an action applying to one thing. Understand "knead [something]" as kneading.
The dough can be kneaded.
Check kneading:
	if the noun is not the dough, say "That is nothing to knead." instead;
	if the dough is kneaded, say "The dough is smooth enough." instead.
Carry out kneading: now the dough is kneaded.
Report kneading: say "You push and fold until the dough is smooth under your hands."

Sprinkling it on is an action applying to one carried thing and one thing. Understand "sprinkle [something preferably held] on [something]" as sprinkling it on.
Check sprinkling something on something:
	if the noun is not listed in {the poppy seeds, the sesame seeds, the caraway seeds}, say "You cannot sprinkle that." instead;
	if the second noun is not the dough or the dough is not kneaded, say "The seeds belong on kneaded dough." instead.
Carry out sprinkling something on something:
	now the dough is sprinkled;
	if the noun is the topping, now the dough is right; otherwise now the dough is not right.
Report sprinkling something on something: say "You brush the dough clean and sprinkle it with [the noun][if the dough is right], just as the card says[end if]."

After inserting the dough into the oven: say "You slide the dough into the oven. Now it takes a little patience."
Before waiting when the dough is in the oven:
	if the dough is kneaded:
		now the dough is nowhere;
		now the loaf is in the oven;
		say "The crust cracks softly: the dough has become a golden loaf.".
After giving the loaf to Marta:
	if the dough is right:
		say "Marta breaks the loaf, closes her eyes and laughs. The shop is open again.";
		end the story finally saying "You have won";
	otherwise:
		say "Marta looks at the crust. 'That is not what the card says,' she says sadly, and the day is lost.";
		end the story saying "You have failed".
