package charset

// The index of gb18030 has characters for private use, and since 2022 some in their place, which the tables
// of x/text leave out.

// privateZones are rows of them that follow each other.
var privateZones = []struct {
	firstLead, lastLead byte
	firstTrail          byte // without 0x7F, which is never one
	perLead             rune
	value               rune
}{
	{0xaa, 0xaf, 0xa1, 94, 0xe000},
	{0xf8, 0xfe, 0xa1, 94, 0xe234},
	{0xa1, 0xa7, 0x40, 96, 0xe4c6},
}

// otherRuns are the others, and the new ones: from a pair of bytes on, so many of them.
var otherRuns = []struct {
	pair  uint16
	value rune
	count uint16
}{
	{0xa2ab, 0xe766, 6}, {0xa2e4, 0xe76d, 1}, {0xa2ef, 0xe76e, 2}, {0xa2fd, 0xe770, 2}, {0xa4f4, 0xe772, 11},
	{0xa5f7, 0xe77d, 8}, {0xa6b9, 0xe785, 8}, {0xa6f6, 0xe797, 9}, {0xa7c2, 0xe7a0, 15}, {0xa7f2, 0xe7af, 13},
	{0xa896, 0xe7bc, 11}, {0xa8c1, 0xe7c9, 4}, {0xa8ea, 0xe7cd, 21}, {0xa958, 0xe7e2, 1}, {0xa95b, 0xe7e3, 1},
	{0xa95d, 0xe7e4, 3}, {0xa997, 0xe7f4, 13}, {0xa9f0, 0xe801, 15}, {0xd7fa, 0xe810, 5}, {0xfe51, 0xe816, 3},
	{0xfe6c, 0xe831, 1}, {0xfe76, 0xe83b, 1}, {0xfe91, 0xe855, 1},

	{0xa6d9, 0xfe10, 1}, {0xa6da, 0xfe12, 1}, {0xa6db, 0xfe11, 1}, {0xa6dc, 0xfe13, 4}, {0xa6ec, 0xfe17, 2},
	{0xa6f3, 0xfe19, 1}, {0xa8bc, 0x1e3f, 1}, {0xfe59, 0x9fb4, 1}, {0xfe61, 0x9fb5, 1}, {0xfe66, 0x9fb6, 2},
	{0xfe6d, 0x9fb8, 1}, {0xfe7e, 0x9fb9, 1}, {0xfe90, 0x9fba, 1}, {0xfea0, 0x9fbb, 1},
}

// leftOut is the character of a pair that x/text does not have, or wrong.
func leftOut(lead, trail byte) rune {
	for _, zone := range privateZones {
		place := rune(trail) - rune(zone.firstTrail)
		if zone.firstTrail < 0x7f && trail > 0x7f {
			place--
		}
		if within(lead, zone.firstLead, zone.lastLead) && place >= 0 && place < zone.perLead {
			return zone.value + zone.perLead*rune(lead-zone.firstLead) + place
		}
	}

	pair := uint16(lead)<<8 | uint16(trail)
	for _, run := range otherRuns {
		if pair >= run.pair && pair-run.pair < run.count {
			return run.value + rune(pair-run.pair)
		}
	}
	return wrong
}
