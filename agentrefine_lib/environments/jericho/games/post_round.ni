"Three Parcels" by AgentRefine Suite

The Post Office is a room. "Mrs Dray runs the post office of the village from a high stool. The square is north."
Mrs Dray is a woman in the Post Office. The printed name of Mrs Dray is "Mrs Dray".
The high counter is a scenery supporter in the Post Office. The flat parcel, the round parcel, and the long parcel are on the high counter.
The Village Square is north of the Post Office. "A fountain and four ways: the forge is west, the rose garden is east, the mill is north and the post office is south."
The Forge is west of the Village Square. "Sparks and hammers. The square is east."
The smith is a man in the Forge.
The Rose Garden is east of the Village Square. "Bees among the roses. The square is west."
The gardener is a woman in the Rose Garden.
The Mill is north of the Village Square. "The great wheel turns and the floor hums. The square is south."
The miller is a man in the Mill.

When play begins:
	let round be a random number between 1 and 3;
	let queue be {the flat parcel, the round parcel, the long parcel};
	rotate queue;
	if round is greater than 1, rotate queue;
	if round is greater than 2, rotate queue;
	now the smith wants entry 1 of queue;
	now the gardener wants entry 2 of queue;
	now the miller wants entry 3 of queue.

To say the label of (load - a thing):
	say "The label says: To [if the smith wants load]the one who works with fire[otherwise if the gardener wants load]the one who lives among thorns[otherwise]the one whose house never stands still[end if]."
After examining the flat parcel: say the label of the flat parcel.
After examining the round parcel: say the label of the round parcel.
After examining the long parcel: say the label of the long parcel.

After giving something to the smith: say "The smith wipes his hands and unwraps it at once. 'The new tongs!'"
After giving something to the gardener: say "The gardener laughs. 'My shears, sharp again!'"
After giving something to the miller: say "The miller nods. 'The bearing for my wheel, at last.'"
Definition: a person is served if it carries something.
After talking to Mrs Dray:
	if the number of served people is at least 3 and the player carries nothing:
		say "'All three?' says Mrs Dray. 'Then the round is done, and well done.'";
		end the story finally saying "You have won";
	otherwise:
		say "'Three parcels today,' says Mrs Dray. 'Read the labels, hand each to the right one, and come back to me.'"
