"Water in the Mine" by AgentRefine Suite

The Flooded Gallery is a room. "Black water stands knee-high and rises. The engine house is north, the tool store is west, and the shaft with its cage is east."
The Engine House is north of the Flooded Gallery. "A great pump, three valves in a row, and a notice beside them. The gallery is south."
The pump is a fixed in place supporter in the Engine House. The pump can be running. The description of the pump is "[if running]It thuds like a heart.[otherwise]It stands still. Where the handle should be there is an empty socket."
The notice is scenery in the Engine House. The right valve is an object that varies.
The description of the notice is "In case of flood: open the [right valve] and no other, fit the handle, pull the handle."
The red valve, the blue valve, and the green valve are fixed in place things in the Engine House. A thing can be turned open.
When play begins: now the right valve is entry (a random number between 1 and 3) of {the red valve, the blue valve, the green valve}.
After examining the notice: say "It is signed by the inspector of mines."

The Tool Store is west of the Flooded Gallery. "Picks, ropes and rust. The gallery is east."
The crate and the tool locker are fixed in place closed openable containers in the Tool Store.
The iron handle is a thing. The fuse is a thing. The description of the fuse is "For the cage in the shaft."
When play begins:
	if a random chance of 1 in 2 succeeds:
		now the iron handle is in the crate;
		now the fuse is in the tool locker;
	otherwise:
		now the iron handle is in the tool locker;
		now the fuse is in the crate.
After taking the iron handle: say "The iron handle is as long as your arm."
After taking the fuse: say "The fuse is whole. You hold it well above the water."

The Shaft is east of the Flooded Gallery. "An iron cage hangs in the shaft over your head, out of reach as long as it has no power. The gallery is west."
The power box is a fixed in place open container in the Shaft. The lever is fixed in place in the Shaft. The description of the lever is "It calls the cage."

Check turning a thing:
	if the noun is not listed in {the red valve, the blue valve, the green valve}, say "That does not turn." instead;
	if the noun is turned open, say "It is open already." instead.
The can't turn what's fixed in place rule does nothing.
Carry out turning a thing: now the noun is turned open.
After turning a thing:
	say "The [noun] squeals and opens[if the noun is the right valve], and far below something starts to gurgle[otherwise]. More water pours in[end if].";
	if the noun is not the right valve, increase the depth by 8.
Check putting something on the pump: if the noun is not the iron handle, say "That does not fit the socket." instead.
After putting the iron handle on the pump: say "The iron handle slides into its socket."

The can't pull what's fixed in place rule does nothing.
Check pulling something:
	if the noun is not the iron handle and the noun is not the lever, say "Pulling that is no use." instead;
	if the noun is the iron handle:
		if the iron handle is not on the pump, say "It has to be on the pump first." instead;
		if the right valve is not turned open, say "The pump shudders and stops: its valve is closed." instead;
		if the pump is running, say "The pump is running already." instead;
	otherwise:
		if the fuse is not in the power box, say "Nothing moves. There is no power." instead;
		if the pump is not running, say "The cage hums and hangs where it is: the water shorts it out. First the water has to fall." instead.
After pulling the iron handle: now the pump is running; say "The pump begins to thud, and the water stops rising."
After pulling the lever:
	say "The cage comes down, takes you in and lifts you up into the daylight.";
	end the story finally saying "You have won".

The depth is a number that varies. The depth is 0.
Every turn when the pump is not running:
	increase the depth by 1;
	if the depth is 12, say "The water has reached your waist.";
	if the depth is at least 19 and the depth is less than 26, say "The water is at your chest and rises.";
	if the depth is at least 26:
		say "The water closes over your head.";
		end the story saying "You have drowned".
