"The Founder's Mask" by AgentRefine Suite

The Foyer is a room. "The museum is closed for the night, and you are its watchman. A bronze plaque hangs beside the stairs. The long gallery is north."
The plaque is scenery in the Foyer. The founding year is a number that varies.
When play begins: now the founding year is entry (a random number between 1 and 3) of {1742, 1816, 1893}.
The description of the plaque is "This house was founded in the year [founding year], the year that opened every door to the curious."

The Long Gallery is north of the Foyer. "Moonlight falls on a glass case in the middle of the floor. The office is west, the workshop is east, the foyer is south."
The glass case is a fixed in place closed locked openable transparent container in the Long Gallery. The brass key unlocks the glass case. The description is "A card in it says: The founder's mask. The place above the card is empty."
After unlocking the glass case with something: say "The little lock springs back, and the glass case is unlocked."

The Office is west of the Long Gallery. "The director's desk, a portrait, and a wall safe with one dial. The gallery is east."
The desk is a scenery supporter in the Office. The memo is on the desk. The description of the memo is "Mask taken from its case for cleaning and locked into the safe. The combination is the year we were founded. Put it back before morning! The key of the case is in the workshop."
After examining the memo: say "The memo is signed by the director."
The wall safe is a fixed in place closed locked openable container in the Office. The dial is part of the wall safe. The description of the dial is "It can be set to a number."
The mask is in the wall safe. The printed name of the mask is "golden mask". Understand "golden" as the mask.
After taking the mask: say "The founder's face smiles at you as you take the golden mask."

Dialling it to is an action applying to one thing and one number. Understand the command "set" as something new. Understand "set [something] to [number]" as dialling it to.
Check dialling something to: if the noun is not the dial, say "That cannot be set to a number." instead.
Carry out dialling something to: if the number understood is the founding year, now the wall safe is unlocked.
Report dialling something to: say "You turn the dial to [the number understood]. [if the wall safe is unlocked]Behind the steel a bolt falls: the wall safe is unlocked.[otherwise]Nothing happens."

The Workshop is east of the Long Gallery. "Brushes and glue. A tall cabinet, a paint box and a tool chest stand along the wall. The gallery is west."
The tall cabinet, the paint box, and the tool chest are fixed in place closed openable containers in the Workshop.
When play begins: now the brass key is in entry (a random number between 1 and 3) of {the tall cabinet, the paint box, the tool chest}.
The brass key is a thing. After taking the brass key: say "The brass key is tiny, made for a glass case."

After inserting the mask into the glass case:
	say "The mask settles on its stand and looks as if it had never been away.";
	end the story finally saying "You have won".
