"The Night Train" by AgentRefine Suite

The Corridor is a room. "The train rocks through the night. Front compartment to the north, rear compartment to the south, dining car to the east, guard's van to the west."
The umbrella is in the Corridor. "An umbrella slides to and fro on the floor." The owner is a person that varies. The owner is the professor.
The description of the umbrella is "On its silver band are the letters [if the owner is the professor]E. H.[otherwise if the owner is the nurse]R. S.[otherwise]T. B.[end if]."
After examining the umbrella: say "Somebody on this train must be missing it."
When play begins:
	now the owner is entry (a random number between 1 and 3) of {the professor, the nurse, the boy};
	now the owner wants the umbrella.

The Front Compartment is north of the Corridor. "Books on every seat. The corridor is south."
The professor is a man in the Front Compartment. "An old professor reads by a weak bulb."
After talking to the professor: say "'Edmund Hale,' says the professor. 'Is it still raining at the coast, I wonder?'"
The Rear Compartment is south of the Corridor. "The blinds are down. The corridor is north."
The nurse is a woman in the Rear Compartment. "A nurse knits something small."
After talking to the nurse: say "'Ruth Sand,' says the nurse. 'I shall get wet to the bone tonight.'"
The Dining Car is east of the Corridor. "White cloths and no guests but one. The corridor is west."
The boy is a man in the Dining Car. "A boy in a school cap counts his coins."
After talking to the boy: say "'Tom Bell, sir,' says the boy. 'Mother will be cross if I lose one more thing.'"

The Guard's Van is west of the Corridor. "Mail bags, and a lamp on a hook. The corridor is east."
The guard is a man in the Guard's Van. "The guard holds his ticket punch like a sword." The guard wants the ticket.
After talking to the guard: say "'No ticket, no journey,' says the guard. 'I put you off at the next halt, unless you find it.'"
The ticket is a thing. The description is "One way to the coast. It is your own."
After giving the umbrella to someone (called the finder):
	now the player carries the ticket;
	say "'My umbrella!' says [the finder]. 'And this lay under my seat. It must be your ticket.'"
After giving the ticket to the guard:
	say "The guard punches the ticket and touches his cap. The journey is yours.";
	end the story finally saying "You have won".
