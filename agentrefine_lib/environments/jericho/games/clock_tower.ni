"The Silent Clock" by AgentRefine Suite

The Town Square is a room. "The clock in the tower has stopped, and nobody in town knows what time it is. A sundial stands in the sun. The tower door is north."
The sundial is scenery in the Town Square. The hour is a number that varies.
When play begins: now the hour is entry (a random number between 1 and 4) of {2, 5, 9, 11}.
The description of the sundial is "The shadow lies on [hour in words] and hardly seems to move."

The Tower Base is north of the Town Square. "Ropes hang down from far above. A workshop opens to the west, a ladder leads up, and the square is south."
The Clockmaker's Shop is west of the Tower Base. "Wheels of every size hang on the wall. The tower is east."
The bench is a scenery supporter in the Clockmaker's Shop. The brass wheel, the steel wheel, the iron wheel, and the crank are on the bench.
The description of the brass wheel is "It has twenty teeth." The description of the steel wheel is "It has forty teeth." The description of the iron wheel is "It has sixty teeth."
The fitting wheel is an object that varies.
When play begins: now the fitting wheel is entry (a random number between 1 and 3) of {the brass wheel, the steel wheel, the iron wheel}.

The Clock Room is up from the Tower Base. "The back of the great dial, a train of wheels, and a bare axle where one is missing. The ladder leads down."
The bare axle is a fixed in place supporter in the Clock Room. The description of the bare axle is "On its plate is stamped: [if the fitting wheel is the brass wheel]20[otherwise if the fitting wheel is the steel wheel]40[otherwise]60[end if] teeth."
The winch is a fixed in place supporter in the Clock Room. The winch can be wound. The description of the winch is "[if wound]The weight hangs high.[otherwise]The weight has run down. The winch has a square hole for a crank."
The hands are scenery in the Clock Room. The hands have a number called the shown hour. The shown hour of the hands is 12. The description of the hands is "Seen from behind, they point to [shown hour in words]. They can be set."
The pendulum is scenery in the Clock Room. The description of the pendulum is "As long as a man, and still. One push would start it."

Check putting something on the bare axle:
	if the noun is not a wheel-thing, say "That is no wheel." instead;
	if something is on the bare axle, say "There is a wheel on the axle already." instead.
Definition: a thing is a wheel-thing if it is the brass wheel or it is the steel wheel or it is the iron wheel.
After putting something on the bare axle: say "[if the noun is the fitting wheel]The teeth mesh without a gap: this is the right wheel.[otherwise]The teeth do not meet those of the next wheel."
Check putting something on the winch: if the noun is not the crank, say "That does not fit the square hole." instead.
After putting the crank on the winch: say "The crank slides over the square end of the winch."

Winding is an action applying to one thing. Understand the command "wind" as something new. Understand "wind [something]" as winding.
Check winding:
	if the noun is not the winch, say "That cannot be wound." instead;
	if the crank is not on the winch, say "There is nothing to turn it by." instead;
	if the winch is wound, say "The weight hangs high already." instead.
Carry out winding: now the winch is wound.
Report winding: say "Turn by turn the heavy weight climbs up to the roof."

Adjusting it to is an action applying to one thing and one number. Understand the command "set" as something new. Understand "set [something] to [number]" as adjusting it to.
Check adjusting something to:
	if the noun is not the hands, say "That cannot be set." instead;
	if the number understood is less than 1 or the number understood is greater than 12, say "The dial goes from 1 to 12." instead.
Carry out adjusting something to: now the shown hour of the hands is the number understood.
Report adjusting something to: say "You set the hands to [number understood in words][if the number understood is the hour], as the sundial has it[end if]."

Check pushing the pendulum:
	if the fitting wheel is not on the bare axle, say "It swings twice and stops: a wheel is missing or wrong." instead;
	if the winch is not wound, say "It swings twice and stops: nothing drives it." instead;
	if the shown hour of the hands is not the hour, say "You hold back: the clock would start at the wrong hour." instead.
The can't push what's fixed in place rule does nothing when the noun is the pendulum. The can't push scenery rule does nothing when the noun is the pendulum.
After pushing the pendulum:
	say "Tick. Tock. The clock goes again, and the great bell strikes [hour in words].";
	end the story finally saying "You have won".
