"The Cook's Bottle" by AgentRefine Suite

The Kitchen is a room. "Copper pans, a roaring stove, and the cook in a hurry. The larder is east, and the cellar door is set into the north wall."
The cook is a man in the Kitchen. "The cook stirs three pots at once." The cook wants the elderflower bottle. The cook carries the cellar key.
After talking to the cook:
	if the cook carries the cellar key:
		now the player carries the cellar key;
		say "'The elderflower wine!' shouts the cook and tosses you the cellar key. 'And take a light, the stairs are steep!'";
	otherwise:
		say "'The elderflower, quick!'"

The Larder is east of the Kitchen. "Hams hang from the beams above a row of hooks. The kitchen is west."
The hook is a scenery supporter in the Larder. The lantern is a device on the hook. The description of the lantern is "A lantern with a little switch."
Carry out switching on the lantern: now the lantern is lit.
Carry out switching off the lantern: now the lantern is not lit.
After switching on the lantern: say "The lantern throws a warm, wide light."

The cellar door is a closed locked door. It is north of the Kitchen and south of the Cellar Head. The cellar key unlocks the cellar door.
After unlocking the cellar door with something: say "The cellar door is unlocked. Cold air creeps out under it."
The Cellar Head is a dark room. "Barrels, and a ledger on a nail. Vaults open to the west and the east, and a third one lies north. The kitchen is south."
The ledger is scenery in the Cellar Head. The cell is a room that varies.
The description of the ledger is "Plum: [if the cell is the North Vault]west[otherwise]north[end if] vault. Elderflower: [if the cell is the West Vault]west[otherwise if the cell is the East Vault]east[otherwise]north[end if] vault. Whatever else: sold."
After examining the ledger: say "The last entry is in the cook's own hand."
The North Vault is north of the Cellar Head. The West Vault is west of the Cellar Head. The East Vault is east of the Cellar Head. The North Vault, the West Vault, and the East Vault are dark.
The description of the North Vault is "Low arches. The way out is south." The description of the West Vault is "Cobwebs and dust. The way out is east." The description of the East Vault is "It drips from the roof. The way out is west."
The elderflower bottle is a thing. The plum bottle is a thing.
When play begins:
	now the cell is entry (a random number between 1 and 3) of {the North Vault, the West Vault, the East Vault};
	now the elderflower bottle is in the cell;
	if the cell is the North Vault, now the plum bottle is in the West Vault;
	otherwise now the plum bottle is in the North Vault.
After taking the elderflower bottle: say "The elderflower bottle is dusty, but the seal is whole."

After going when in darkness:
	if the room gone from is the Kitchen:
		continue the action;
	say "You miss a step in the dark and fall a long way.";
	end the story saying "You have died".
After giving the elderflower bottle to the cook:
	say "The cook draws the cork, sniffs, and for the first time today he smiles.";
	end the story finally saying "You have won".
