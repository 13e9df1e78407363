"Where Is Clover?" by AgentRefine Suite

The Farmyard is a room. "The pen stands empty, its gate wide open. The barn is west, the vegetable garden is east, and a lane leads north."
Nan is a woman in the Farmyard. "Little Nan sits on the fence and looks sad."
After talking to Nan: say "'Clover has run away!' says Nan. 'I heard her bell, [if the goat is in the Meadow]over in the meadow[otherwise if the goat is in the Orchard]down in the orchard[otherwise if the goat is in the Stream Bank]by the stream[otherwise]right here[end if]. She never comes without a carrot, and never stays without a rope.'"
The pen gate is a fixed in place open openable container in the Farmyard. Understand "pen" as the pen gate. The printed name of the pen gate is "gate".
The Barn is west of the Farmyard. "Hay up to the roof. The farmyard is east."
The rope is in the Barn. After taking the rope: say "You coil the rope over your shoulder."
The Vegetable Garden is east of the Farmyard. "Neat rows, and some things ready to be pulled up. The farmyard is west."
The carrot and the turnip are in the Vegetable Garden. After taking the carrot: say "You pull up a long, sweet carrot."

The Lane is north of the Farmyard. "Hedges on both sides. The meadow is west, the orchard is east, the stream is north, the farmyard is south."
The Meadow is west of the Lane. "Grass and clouds. The lane is east."
The Orchard is east of the Lane. "Apple trees in blossom. The lane is west."
The Stream Bank is north of the Lane. "Clear water over pebbles. The lane is south."
The goat is an animal. The initial appearance of the goat is "A white goat with a bell watches you and chews." The goat can be tame. The goat can be tied.
The description of the goat is "[if tied]Clover, on a rope.[otherwise]Clover, and she keeps her distance.[end if]".
When play begins: now the goat is in entry (a random number between 1 and 3) of {the Meadow, the Orchard, the Stream Bank}.
The goat wants the carrot.
After giving the carrot to the goat:
	now the goat is tame;
	now the carrot is nowhere;
	say "The goat eats the carrot and rubs its head on your sleeve."

The block tying rule is not listed in any rulebook.
Check tying something to something:
	if the noun is not the rope or the second noun is not the goat, say "That is no use." instead;
	if the rope is not carried, say "You are not holding the rope." instead;
	if the goat is not tame, say "The goat skips out of reach." instead;
	if the goat is tied, say "It is tied already." instead.
Carry out tying something to something: now the goat is tied.
Report tying something to something: say "You tie the rope around the goat's neck, and it lets you."
Instead of dropping the rope when the goat is tied: say "Then it would be off again."
After going when the goat is tied:
	if the goat is not in the location:
		move the goat to the location;
		say "The goat trots along on its rope.";
	continue the action.
Instead of inserting something into the pen gate: say "The pen is for the goat alone."
After closing the pen gate:
	if the goat is tied and the goat is in the location:
		say "You lead the goat into the pen and shut the gate. 'Clover!' shouts Nan and throws her arms around you.";
		end the story finally saying "You have won";
	otherwise:
		now the pen gate is open;
		say "You close the gate of the empty pen, and the wind blows it open again."
