package verdict

import (
	"fmt"
	"strconv"
)

// partOf says "34 of 117 messages in the queue (29%)" for the noun "messages
// in the queue", and "all 34 messages" where nothing is left.
func partOf(n, of int, noun string) string {
	of = max(n, of)
	if n == of && n > 1 {
		return "all " + thousands(n) + " " + noun
	}
	return fmt.Sprintf("%s of %s %s (%s)", thousands(n), thousands(of), noun, percent(n, of))
}

// percent rounds to whole percents, but calls nothing none or all that is not.
func percent(n, of int) string {
	return percentOf(fraction(n, of))
}

func percentOf(share float64) string {
	switch {
	case share > 0 && share < 0.005:
		return "under 1%"
	case share < 1 && share >= 0.995:
		return "over 99%"
	}
	return fmt.Sprintf("%.0f%%", 100*share)
}

// counted says "1 message" or "1,204 messages".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + plural(noun)
}

// plural covers the nouns of this package.
func plural(noun string) string {
	if noun == "address" || noun == "client address" {
		return noun + "es"
	}
	return noun + "s"
}

// thousands writes a number that is not negative with its separators: 1,204.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
