"No Money in Your Purse" by AgentRefine Suite

The Market Square is a room. "Awnings and voices. The fishwife stands to the north, the chandler to the east, the net maker to the west, and the ferry lies south."
The player carries the scarf. The description of the scarf is "Grey wool, still warm."
The Fish Stall is north of the Market Square. "Ice and herrings. The square is south."
The fishwife is a woman in the Fish Stall. The fishwife carries the herring.
The Wax Stall is east of the Market Square. "It smells of wax. The square is west."
The chandler is a woman in the Wax Stall. The chandler carries the candle.
The Long Shed is west of the Market Square. "Low, and as long as a street. The square is east."
The net maker is a man in the Long Shed. The net maker carries the rope.
The Ferry Landing is south of the Market Square. "The river is wide here, and there is one boat. The square is north."
The ferryman is a man in the Ferry Landing.

A person has an object called the good. The good of the fishwife is the herring. The good of the chandler is the candle. The good of the net maker is the rope. The good of the ferryman is the scarf.
When play begins:
	let row be {the fishwife, the chandler, the net maker};
	let first turn be a random number between 1 and 3;
	rotate row;
	if first turn is greater than 1, rotate row;
	if first turn is greater than 2, rotate row;
	if a random chance of 1 in 2 succeeds, reverse row;
	now entry 1 of row wants the scarf;
	now entry 2 of row wants the good of entry 1 of row;
	now entry 3 of row wants the good of entry 2 of row;
	now the ferryman wants the good of entry 3 of row.

To say the wish of (trader - a person): say "'[if the trader wants the scarf]It is bitter cold, I would give much for a warm scarf[otherwise if the trader wants the herring]I have not eaten today, I would give much for a herring[otherwise if the trader wants the candle]It gets dark too early, I would give much for a candle[otherwise]The wind tears everything loose, I would give much for a rope[end if],' says [the trader]."
After talking to someone (called the trader): say the wish of the trader.

After giving something to someone (called the trader):
	if the trader is the ferryman:
		say "The ferryman stows [the noun] and pushes off. Behind you the market grows small.";
		end the story finally saying "You have won";
	otherwise:
		now the player carries the good of the trader;
		say "[The trader] takes [the noun], beams, and presses [the good of the trader] into your hands."
