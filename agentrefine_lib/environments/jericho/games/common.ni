Use undo prevention.

Part 1 - The verdict on the last command

[The prompt tells the environment whether the last command was accepted, and if not, why: see story.py.]

The verdict is a text that varies. The verdict is "ok".
When play begins: now the command prompt is "[verdict]>".
After reading a command: now the verdict is "logic".
The first after rule (this is the accept the action rule): now the verdict is "ok"; continue the action.

To say incomplete: now the verdict is "format".
Before asking which do you mean: now the verdict is "parameter".
The parser clarification internal rule response (D) is "[incomplete]Whom do you want to [parser command so far]?".
The parser clarification internal rule response (E) is "[incomplete]What do you want to [parser command so far]?".
The block vaguely going rule response (A) is "[incomplete]You have to say in which direction to go.".

Before printing a parser error:
	now the verdict is "format";
	if the latest parser error is the can't see any such thing error or the latest parser error is the noun did not make sense in that context error or the latest parser error is the can't see it at the moment error:
		now the verdict is "parameter";
	if the latest parser error is the can only do that to something animate error or the latest parser error is the aren't holding that error or the latest parser error is the nothing to do error:
		now the verdict is "logic".

Part 2 - One action at a time

For implicitly taking something (called the target) (this is the take it yourself rule):
	say "You are not holding [the target]."
Before going through a closed door (called the barrier):
	say "[The barrier] is closed." instead.

Part 3 - Talking and giving

Talking to is an action applying to one visible thing.
Understand "talk to/with [someone]" or "speak to/with [someone]" as talking to.
Check talking to the player: say "You mutter to yourself for a while." instead.
Report talking to: say "[The noun] has nothing new to tell you."

Wanting relates various people to various things. The verb to want means the wanting relation.
The block giving rule is not listed in any rulebook.
Check giving something to someone when the second noun does not want the noun:
	say "That offer is politely declined." instead.

Part 4 - What is in view

[Answers a question of the environment, which then restores the game to where it was before.]

Definition: a thing is noticed if it is not the player and (it is visible or it is enclosed by the player).
Surveying is an action out of world. Understand "_survey" as surveying.
Carry out surveying:
	repeat with subject running through noticed things:
		say "[subject]";
		if the subject is carried by the player, say "|item";
		if the subject is a container, say "|container";
		if the subject is a supporter, say "|surface";
		if the subject is a person, say "|person";
		say ";".

Part 5 - The game
