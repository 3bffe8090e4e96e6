package report

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// count writes n with thousands separators.
func count[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	out := make([]byte, 0, len(digits)+len(digits)/3+1)
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, digits[i])
	}
	return sign + string(out)
}

// plural writes n and its noun, which takes an s.
func plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// percent rounds down: what is not certain must not read as 100%.
func percent(f float64) string {
	return strconv.Itoa(int(math.Floor(clamp(f)*100+1e-9))) + "%"
}

// shareOf rounds n of a total to whole percents, as the reasons of a verdict do, but
// calls nothing none or all that is not.
func shareOf(n, of int) string {
	switch share := float64(n) / float64(of); {
	case share > 0 && share < 0.005:
		return "under 1%"
	case share < 1 && share >= 0.995:
		return "over 99%"
	default:
		return fmt.Sprintf("%.0f%%", 100*share)
	}
}

func clamp(f float64) float64 {
	if math.IsNaN(f) {
		return 0
	}
	return min(max(f, 0), 1)
}

// weight writes f with its sign.
func weight(f float64) string { return fmt.Sprintf("%+.1f", finite(f)) }

// size writes a number of bytes in units of 1024.
func size(n int64) string {
	if n < 1024 {
		return plural(n, "byte")
	}
	value, unit := scaled(n)
	return fmt.Sprintf("%.1f %ciB", value, unit)
}

// shortSize writes a number of bytes in five columns, as ls -h does.
func shortSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10)
	}
	value, unit := scaled(n)
	if value >= 99.95 {
		return fmt.Sprintf("%.0f%c", value, unit)
	}
	return fmt.Sprintf("%.1f%c", value, unit)
}

func scaled(n int64) (float64, byte) {
	const units = "KMGTPE"
	value, i := float64(n)/1024, 0
	// 1023.95 is where one decimal place would round up to 1024.0.
	for value >= 1023.95 && i < len(units)-1 {
		value /= 1024
		i++
	}
	return value, units[i]
}

// age writes how long ago t was, for example "3d 2h", "2h 5m", "40m". It is "" where
// that is not known or t is still to come.
func age(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case now.IsZero(), t.IsZero(), d < 0:
		return ""
	case d >= 10*24*time.Hour:
		return count(int64(d/(24*time.Hour))) + "d"
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d/time.Hour%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d/time.Minute%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// shortAge writes how long ago t was in its largest unit.
func shortAge(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "?"
	case d < 0:
		return "ahead"
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
