package logs

import "spoor"

// mark is the stamp of a header as it stands there. Above 0 it is a spoor.Stamp.
// Below 0 its negative is local time, in microseconds as if it were UTC; where
// the header has no year, in the year 2000, which has all days. 0 is no stamp.
//
// No mail log is of the year 2000, so the year tells the two apart. Logs that are
// older do turn up, with clocks that nobody has set.
type mark int64

const (
	second = 1_000_000 // microseconds
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	year2000 = 946_684_800 * second
	year2001 = 978_307_200 * second
)

// local reports whether m needs a zone, and yearless whether it needs a year.
func (m mark) local() bool    { return m < 0 }
func (m mark) yearless() bool { return m < 0 && -m >= year2000 && -m < year2001 }

// wholeSecond reports whether m was logged without a fraction.
func (m mark) wholeSecond() bool { return m%second == 0 }

// microsAt returns a date and a time as microseconds since 1970, as if in UTC.
func microsAt(year, month, dayOfMonth, seconds int) int64 {
	return (daysBefore(year)+int64(dayOfYear(year, month))+int64(dayOfMonth)-1)*day + int64(seconds)*second
}

// daysBefore counts the days from 1970-01-01 to the first day of a year after
// 1600, in the Gregorian calendar.
func daysBefore(year int) int64 {
	y := int64(year - 1)
	return y*365 + y/4 - y/100 + y/400 - 719_162
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

var monthStarts = [...]int{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

// dayOfYear counts the days before a month, which is from 1 to 12.
func dayOfYear(year, month int) int {
	n := monthStarts[month-1]
	if month > 2 && leap(year) {
		n++
	}
	return n
}

// inYear moves local time of the year 2000 to another year. The 29th of
// February becomes the 1st of March where there is none.
func inYear(micros int64, year int) int64 {
	into := micros - year2000
	if into >= 60*day && !leap(year) {
		into -= day
	}
	return daysBefore(year)*day + into
}

// near moves local time of the year 2000 to the year that brings it closest to
// another local time. Logs go forward: it may be up to 120 days before that time,
// and most of a year after it.
func near(micros, to int64) int64 {
	const averageYear, before, after = 31_556_952 * second, 120 * day, 246 * day
	year := 1970 + int(to/averageYear)
	for range 3 { // the average year is off by one at the most
		switch at := inYear(micros, year); {
		case at-to > after:
			year--
		case to-at > before:
			year++
		default:
			return at
		}
	}
	return inYear(micros, year)
}

// number reads decimal digits; false if one is none.
func number(digits []byte) (int, bool) {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(digits) > 0
}

// clockTime reads "hh:mm:ss" as seconds.
func clockTime(t []byte) (int, bool) {
	if len(t) != 8 || t[2] != ':' || t[5] != ':' {
		return 0, false
	}
	h, okH := number(t[0:2])
	m, okM := number(t[3:5])
	s, okS := number(t[6:8])
	return h*3600 + m*60 + s, okH && okM && okS && h < 24 && m < 60 && s <= 60
}

// monthOf reads the name of a month, as syslogd writes it, from 1; 0 if it is
// none.
func monthOf(name []byte) int {
	switch string(name) {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// stampOf makes a Stamp of microseconds that may be none.
func stampOf(micros int64) spoor.Stamp { return spoor.Stamp(max(micros, 1)) }
